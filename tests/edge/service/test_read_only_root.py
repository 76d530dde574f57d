"""Detection of the read-only root, and the parameter that all scripts must agree on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.service.read_only_root import OVERLAY_PARAMETER, root_is_read_only
from tests.support.cli_process import ROOT

DISK = "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n"
OVERLAY = "overlay / overlay rw,lowerdir=/,upperdir=/mnt/upper 0 0\n"


@pytest.mark.parametrize(
    ("parameters", "mounts", "expected"),
    [
        (f"quiet {OVERLAY_PARAMETER} splash", f"proc /proc proc rw 0 0\n{OVERLAY}", True),
        (f"quiet {OVERLAY_PARAMETER}", DISK, False),  # the overlay could not be mounted
        ("quiet", OVERLAY, False),  # a container
        (f"quiet {OVERLAY_PARAMETER}x", OVERLAY, False),
    ],
)
def test_read_only_needs_parameter_and_overlay(
    tmp_path: Path, parameters: str, mounts: str, expected: bool
) -> None:
    (tmp_path / "cmdline").write_text(f"{parameters}\n")
    (tmp_path / "mounts").write_text(mounts)
    assert root_is_read_only(tmp_path / "cmdline", tmp_path / "mounts") is expected


def test_root_is_writable_without_proc(tmp_path: Path) -> None:
    assert not root_is_read_only(tmp_path / "cmdline", tmp_path / "mounts")


def test_scripts_name_the_same_init() -> None:
    path = OVERLAY_PARAMETER.removeprefix("init=")
    script = (ROOT / "systemd/install.sh").read_text()
    assert "\nLIB=/usr/local/lib/mask-patrol\n" in script
    assert "\nOVERLAY=$LIB/overlay-init\n" in script
    assert f"\nINIT={path}\n" in (ROOT / "systemd/storage/mask-patrol-read-only").read_text()
    timer = (ROOT / "systemd/units/mask-patrol-clock.timer").read_text()
    assert f"\nConditionKernelCommandLine={OVERLAY_PARAMETER}\n" in timer
