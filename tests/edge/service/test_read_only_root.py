from __future__ import annotations

from pathlib import Path

from edge.service.read_only_root import WORD, root_is_read_only
from tests.support.cli_process import ROOT

DISK = "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n"
OVER = "overlay / overlay rw,lowerdir=/,upperdir=/mnt/upper 0 0\n"


def test_it_is_read_only_where_it_was_asked_for_and_could_be_had(tmp_path: Path) -> None:
    words, mounts = tmp_path / "cmdline", tmp_path / "mounts"
    assert not root_is_read_only(words, mounts)
    for line, mounted, expected in (
        (f"quiet {WORD} splash", f"proc /proc proc rw 0 0\n{OVER}", True),
        (f"quiet {WORD}", DISK, False),  # no overlay could be laid
        ("quiet", OVER, False),  # a container's
        (f"quiet {WORD}x", OVER, False),
    ):
        words.write_text(f"{line}\n")
        mounts.write_text(mounted)
        assert root_is_read_only(words, mounts) is expected, line


def test_all_mean_the_same_first_process() -> None:
    path = WORD.removeprefix("init=")
    script = (ROOT / "systemd/install.sh").read_text()
    assert "\nLIB=/usr/local/lib/mask-patrol\nOVERLAY=$LIB/overlay-init\n" in script
    assert f"\nINIT={path}\n" in (ROOT / "systemd/storage/mask-patrol-read-only").read_text()
    timer = (ROOT / "systemd/units/mask-patrol-clock.timer").read_text()
    assert f"\nConditionKernelCommandLine={WORD}\n" in timer
