"""The units, verified by systemd-analyze, and the scripts, checked by shellcheck."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.config.installed_camera import InstalledCamera
from edge.config.settings import Settings
from edge.health.systemd_notify import KEEP_ALIVES_PER_PERIOD
from edge.mqtt.publisher import HANG_TIMEOUT_S
from tests.support.cli_process import ROOT

SYSTEMD = ROOT / "systemd"
UNITS = sorted((SYSTEMD / "units").glob("*.service"))
#: The largest exposure, of 10, that systemd-analyze may report. mask-patrol-data mounts a partition
#: for all processes, so it cannot have a mount namespace of its own. The browser of the screen
#: makes a sandbox of its own, and needs the network and the display.
MAX_EXPOSURE = {"mask-patrol-data.service": 4.0, "mask-patrol-screen.service": 3.5}
DEFAULT_MAX_EXPOSURE = 2.0


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
def test_systemd_analyze_finds_no_error(unit: Path, tmp_path: Path) -> None:
    """The unit is checked in a copy whose program exists: systemd-analyze checks that, too."""
    copy = tmp_path / unit.name
    copy.write_text(
        re.sub(
            r"/opt/mask-patrol/current/bin/mask-patrol|/usr/local/lib/mask-patrol/mount-data"
            "|/usr/bin/(cage|chromium)(?= )",
            "/bin/true",
            unit.read_text(),
        )
    )
    # The unit of a Debian package that the screen needs.
    (tmp_path / "seatd.service").write_text("[Service]\nExecStart=/bin/true\n")
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    errors = [line for line in result.stderr.splitlines() if unit.name in line]
    assert (result.returncode, errors) == (0, [])


@needs("systemd-analyze")
@pytest.mark.parametrize("name", ["mask-patrol.service", "mask-patrol@.service"])
def test_units_with_pins_are_valid_and_exposed_no_more(name: str, tmp_path: Path) -> None:
    """The drop-in is appended, because systemd-analyze reads no drop-ins beside a copy."""
    drop_in = (SYSTEMD / "units" / f"gpio{'@' * ('@' in name)}.conf").read_text()
    copy = tmp_path / name
    text = (SYSTEMD / "units" / name).read_text() + drop_in
    copy.write_text(text.replace("/opt/mask-patrol/current/bin/mask-patrol", "/bin/true"))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    errors = [line for line in result.stderr.splitlines() if name in line]
    assert (result.returncode, errors) == (0, [])
    assert exposure(copy) < DEFAULT_MAX_EXPOSURE
    settings = service(copy)
    configuration = settings["ExecStart"].split()[-1]
    assert settings["ExecStopPost"].split()[-1] == configuration


@needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_exposure_is_small(unit: Path) -> None:
    assert exposure(unit) < MAX_EXPOSURE.get(unit.name, DEFAULT_MAX_EXPOSURE)


def exposure(unit: Path) -> float:
    """Return how exposed a unit is, 0 to 10."""
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", result.stdout)
    print(f"{unit.name}: {level}")
    return float(level)


def test_mounts_of_the_data_unit_are_visible_to_all() -> None:
    """A setting that creates a mount namespace would hide the partition from the daemon."""
    settings = service(SYSTEMD / "units/mask-patrol-data.service")
    assert settings["PrivateMounts"] == "false"
    namespaces = r"Private(Tmp|Devices|IPC)|Protect(?!Hostname).*|.*Paths|.*Directory|Mount.*"
    assert [name for name in settings if re.fullmatch(namespaces, name)] == []


def test_time_is_saved_by_the_account_that_owns_the_folder() -> None:
    """Root would follow a link that the account has made in its own folder."""
    assert service(SYSTEMD / "units/mask-patrol-clock.service")["User"] == "mask-patrol"


def test_dashboard_does_not_get_the_daemons_account() -> None:
    """systemd passes all files in a folder on, also those in folders below it."""
    daemon, dashboard = (
        Path(service(SYSTEMD / "units" / name)["LoadCredential"].partition(":")[2])
        for name in ("mask-patrol.service", "mask-patrol-dashboard.service")
    )
    assert daemon not in (dashboard, *dashboard.parents)
    assert dashboard not in (daemon, *daemon.parents)
    # The administrator may permit the dashboard to write to the folder of the configuration, where
    # it could then replace its account.
    configuration = Path(
        service(SYSTEMD / "units" / "mask-patrol.service")["ExecStart"].split()[-1]
    )
    assert configuration.parent not in dashboard.parents


def test_further_cameras_have_the_settings_of_the_first_one() -> None:
    """Only what is about its files differs, and what the first one keeps from the past."""
    first, further = (
        [
            line
            for line in (SYSTEMD / "units" / name).read_text().splitlines()
            if line and not line.startswith("#")
        ]
        for name in ("mask-patrol.service", "mask-patrol@.service")
    )
    assert [line for line in further if line not in first] == [
        "Description=Mask Patrol: detect people without a mask, camera %i",
        "After=network.target time-set.target mask-patrol-data.service",
        "ExecStart=/opt/mask-patrol/current/bin/mask-patrol run --config /etc/mask-patrol/%i.toml",
        "Environment=STATE_DIRECTORY=/var/lib/mask-patrol/cameras/%i",
        "RuntimeDirectory=mask-patrol-cameras/%i",
        "LoadCredential=mask-patrol:/etc/mask-patrol/%i.credentials",
    ]
    missing = {line.partition("=")[0] for line in first if line not in further}
    replaced = {"Description", "After", "ExecStart", "RuntimeDirectory", "LoadCredential"}
    assert missing - replaced == {"CacheDirectory", "LogsDirectory"}
    door2 = InstalledCamera("door2")
    text = "\n".join(further).replace("%i", door2.name)
    for path in (door2.configuration, door2.state, door2.credentials):
        assert str(path) in text
    assert f"RuntimeDirectory={door2.runtime.relative_to('/run')}\n" in text


def test_camera_devices_are_allowed() -> None:
    text = (SYSTEMD / "units/mask-patrol.service").read_text()
    for needed in (
        "DeviceAllow=char-video4linux rw",  # for V4L2 and libcamera's subdevices
        "DeviceAllow=char-media rw",
        "DeviceAllow=char-dma_heap rw",
        "SupplementaryGroups=video",
        "AF_NETLINK",  # udev
    ):
        assert needed in text
    assert "PrivateDevices" not in text


@pytest.mark.parametrize("name", [Settings().board.led, "PWR"])
def test_led_is_writable(name: str) -> None:
    unit = (SYSTEMD / "units/mask-patrol.service").read_text()
    (paths,) = re.findall(r"(?m)^ReadWritePaths=(.*)$", unit)
    # Each LED must be named: their common folder contains only links, and naming the folder would
    # leave the targets read-only.
    assert f"-/sys/class/leds/{name}" in paths.split()
    rules = (SYSTEMD / "units/mask-patrol.rules").read_text()
    assert re.search(r'(?m)^SUBSYSTEM=="leds", (?!KERNEL==)', rules), "any LED"
    assert set(re.findall(r"/sys%p/(\w+)", rules)) == {"brightness", "trigger"}


def test_service_is_always_restarted() -> None:
    text = (SYSTEMD / "units/mask-patrol.service").read_text()
    assert "Restart=always\n" in text
    assert "StartLimitIntervalSec=0\n" in text
    watchdog_s = float(service(SYSTEMD / "units/mask-patrol.service")["WatchdogSec"])
    # The interval of watchdog notifications allows for two camera time-outs.
    assert watchdog_s / KEEP_ALIVES_PER_PERIOD >= 2.0 * Settings().camera.timeout_s
    # A hung publisher is detected later than a hung loop, so that the log shows the cause.
    assert watchdog_s < HANG_TIMEOUT_S


@needs("shellcheck")
def test_shellcheck_finds_nothing() -> None:
    scripts = [path for path in SYSTEMD.rglob("*") if path.is_file() and _is_shell(path)]
    assert {SYSTEMD / "install.sh", SYSTEMD / "first-boot/start.sh"} <= set(scripts)
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def _is_shell(path: Path) -> bool:
    if path.suffix == ".sh":
        return True
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(sh|bash)\b", file.readline()) is not None
