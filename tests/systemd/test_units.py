"""The unit files by systemd's own judgement, and the scripts by shellcheck's."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.config.settings import Settings
from edge.health.systemd_notify import KEEP_ALIVES_PER_PERIOD
from edge.mqtt.publisher import HANG_TIMEOUT_S
from tests.support.cli_process import ROOT

SYSTEMD = ROOT / "systemd"
UNITS = sorted((SYSTEMD / "units").glob("*.service"))
MAX_EXPOSURE = 2.0


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None,
        reason=f"{program} is not installed; `make test` installs it on Debian",
    )


def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(unit.read_text())
    return parser["Service"]


@needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    """In a copy whose program is there: it looks for that, too."""
    copy = tmp_path / unit.name
    copy.write_text(
        re.sub(
            r"/opt/mask-patrol/current/bin/mask-patrol|/usr/local/lib/mask-patrol/mount-data",
            "/bin/true",
            unit.read_text(),
        )
    )
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    told = [line for line in result.stderr.splitlines() if unit.name in line]
    assert (result.returncode, told) == (0, [])


@needs("systemd-analyze")
@pytest.mark.parametrize("name", ["mask-patrol.service", "mask-patrol-dashboard.service"])
def test_its_exposure_is_below_two(name: str) -> None:
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", SYSTEMD / "units" / name],
        capture_output=True,
        text=True,
        check=True,
    )
    (exposure,) = re.findall(r"exposure level for \S+: ([0-9.]+)", result.stdout)
    print(f"{name}: {exposure}")
    assert float(exposure) < MAX_EXPOSURE


def test_cameras_can_be_opened_all_the_same() -> None:
    text = (SYSTEMD / "units/mask-patrol.service").read_text()
    for needed in (
        "DeviceAllow=char-video4linux rw",  # V4L2, and the subdevices of libcamera
        "DeviceAllow=char-media rw",
        "DeviceAllow=char-dma_heap rw",
        "SupplementaryGroups=video",
        "AF_NETLINK",  # udev
    ):
        assert needed in text
    assert "PrivateDevices" not in text


@pytest.mark.parametrize("name", [Settings().board.led, "PWR"])
def test_the_led_can_be_written(name: str) -> None:
    unit = (SYSTEMD / "units/mask-patrol.service").read_text()
    (paths,) = re.findall(r"(?m)^ReadWritePaths=(.*)$", unit)
    # By its own name: the folder holds links, and what they point to stays read-only.
    assert f"-/sys/class/leds/{name}" in paths.split()
    rules = (SYSTEMD / "units/mask-patrol.rules").read_text()
    assert re.search(r'(?m)^SUBSYSTEM=="leds", (?!KERNEL==)', rules), "of whatever name"
    assert set(re.findall(r"/sys%p/(\w+)", rules)) == {"brightness", "trigger"}


def test_the_door_is_never_left_blind() -> None:
    text = (SYSTEMD / "units/mask-patrol.service").read_text()
    assert "Restart=always\n" in text
    assert "StartLimitIntervalSec=0\n" in text
    watchdog_s = float(service(SYSTEMD / "units/mask-patrol.service")["WatchdogSec"])
    # Time-outs of the camera pass in other threads; the loop has this long between two turns.
    assert watchdog_s / KEEP_ALIVES_PER_PERIOD >= 2.0 * Settings().camera.timeout_s
    # What delivers events is given up later than the loop, so that neither hides the other.
    assert watchdog_s < HANG_TIMEOUT_S


@needs("shellcheck")
def test_shellcheck_finds_nothing_wrong() -> None:
    scripts = [path for path in SYSTEMD.rglob("*") if path.is_file() and _is_shell(path)]
    assert SYSTEMD / "install.sh" in scripts
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def _is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(sh|bash)\b", file.readline()) is not None
