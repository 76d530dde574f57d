"""The real installer, units, and updates on a booted Debian, with a broker that needs a login."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.common.paths import PACKAGE
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import ROOT
from tests.support.footage.visit_clip import BARE_S, EMPTY_S, frame_at
from tests.support.ports import free_port
from tests.support.systemd.bundles import NO_BROKER, PYTHON_OF, Variant, bundle_for
from tests.support.systemd.debian_container import Machine, require_tools
from tests.support.systemd.installed_device import (
    CONFIG,
    PASSWORD,
    PATIENCE_S,
    RELEASES,
    DashboardClient,
    Device,
    first_password_code,
)
from tests.support.systemd.release_keys import SigningKey
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DASHBOARD_PASSWORD = PASSWORD * 2
#: The last commit before the modules were moved into packages.
OLD_COMMIT = "b778af52e78a1fc82d28d45ad2d1b56898ca902d"


@pytest.fixture(scope="module", params=["bookworm", pytest.param("trixie", marks=pytest.mark.soak)])
def suite(request: pytest.FixtureRequest) -> str:
    require_tools()
    return str(request.param)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """The key that signs all bundles of these tests."""
    return SigningKey(tmp_path_factory.mktemp("maker"))


@pytest.fixture(scope="module")
def bundle(suite: str, maker: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle with the wheels of the suite's Python only."""
    copy = shutil.copy(bundle_for(suite, tmp_path_factory), tmp_path_factory.mktemp("bundle"))
    return maker.sign(Path(copy))


@pytest.fixture(scope="module")
def device(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("device")
    device = Device(Machine(folder / suite, suite).boot(), folder)
    yield device
    device.close()


@pytest.fixture(scope="module")
def variants(
    bundle: Path, maker: SigningKey, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Signed bundles: one that works, one of an earlier version, and three that are broken."""
    folder = tmp_path_factory.mktemp("variants")

    def variant(version: str, *changes: tuple[str, str, str]) -> Path:
        made = Variant(bundle, folder / version)
        for change in changes:
            made.change_module(*change)
        path = made.pack(folder / f"{version}.tar", version)
        shutil.rmtree(folder / version)
        return maker.sign(path)

    return {
        "good": variant("0.2.0+good"),
        "older": variant("0.0.9+older"),
        "unfit": variant(
            "0.3.0+unfit", ("edge/detection/haar_detector.py", "_alt2.xml", "_none.xml")
        ),
        "crashes": variant("0.3.0+crashes", ("edge/daemon/run.py", r"\Z", "raise SystemExit(1)\n")),
        # This version never connects, and its status file lacks a key that the older version
        # expects.
        "mute": variant(
            "0.3.0+mute",
            ("edge/daemon/run.py", r"\Z", NO_BROKER),
            ("edge/[dh]*/*.py", '"broker_failure"', '"broker_trouble"'),
        ),
    }


@pytest.fixture
def installer(device: Device, bundle: Path) -> str:
    """The path on the device of the unpacked bundle's installer."""
    return device.unpack(bundle)


@pytest.fixture
def first(device: Device, maker: SigningKey, installer: str) -> str:
    """Install the bundle, and pin its key; return its version, which runs when the test begins."""
    device.write_credentials()
    key = device.copy(maker.public)
    config = device.write_config()
    device.machine.run(installer, "--offline", "--config", config, "--release-key", key)
    device.wait_online()
    return device.linked_release("current")


@pytest.mark.slow
def test_first_installation_needs_a_configuration_to_start(device: Device, installer: str) -> None:
    machine = device.machine
    result = machine.run(installer, "--offline")
    assert "set your broker (mqtt.host) and your camera (camera.source)" in result.stdout
    assert machine.run("systemctl", "is-enabled", "mask-patrol", check=False).returncode != 0
    result = machine.run("mask-patrol", "status", check=False)
    assert result.returncode == 1
    assert "not running (inactive): sudo systemctl start mask-patrol" in result.stdout

    (device.path("/root") / "bad.toml").write_text("[mqtt]\nhots = 'x'\n")
    result = machine.run(installer, "--config", "/root/bad.toml", check=False)
    assert result.returncode == 2
    assert "unknown setting `mqtt.hots`; did you mean `mqtt.host`?" in result.stderr

    device.write_credentials()
    machine.run(installer, "--offline", "--config", device.write_config())
    device.wait_online()
    device.subscriber.wait_for(lambda: bool(device.subscriber.bodies("events")), "an alert")
    device.subscriber.wait_for(lambda: bool(device.subscriber.bodies("health")), "health")
    assert device.subscriber.bodies("health")[-1]["camera"] == "ok"
    assert machine.run("systemctl", "is-enabled", "mask-patrol").stdout == "enabled\n"


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_install_with_configuration_and_local_packages(
    device: Device, installer: str, tmp_path: Path
) -> None:
    machine, process = device.machine, device.process()
    control = tmp_path / "mask-patrol-test" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: mask-patrol-test\nVersion: 1\nArchitecture: all\nDescription: nothing\n"
        "Maintainer: nobody <nobody@localhost>\n"
    )
    packages = device.path("/root") / "packages"
    packages.mkdir()
    subprocess.run(["dpkg-deb", "--build", tmp_path / "mask-patrol-test", packages], check=True)
    text = (device.path("/root") / "site.toml").read_text()
    (device.path("/root") / "other.toml").write_text(text.replace(device.camera.url, "picamera2"))
    result = machine.run(
        installer, "--offline", "--no-start", "--deb-dir", "/root/packages",
        "--config", "/root/other.toml",
    )  # fmt: skip
    assert "camera.source is picamera2, which is not installed" in result.stderr
    assert "The old configuration is kept as /etc/mask-patrol/mask-patrol.toml.old" in result.stdout
    assert device.path(f"{CONFIG}.old").read_text() == text
    assert machine.run("dpkg-query", "-W", "-f", "${Status}", "mask-patrol-test").stdout == (
        "install ok installed"
    )
    assert device.process() == process  # not restarted yet
    assert "the old process still runs" in result.stdout
    machine.run("dpkg", "--purge", "mask-patrol-test")


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_service_is_confined(device: Device) -> None:
    result = device.machine.run("systemd-analyze", "security", "mask-patrol.service", "--no-pager")
    exposure = re.findall(r"exposure level for mask-patrol.service: ([0-9.]+)", result.stdout)
    assert [float(number) < 2.0 for number in exposure] == [True]
    status = device.machine.run("cat", f"/proc/{device.process()}/status").stdout
    assert re.search(r"CapBnd:\s+0+\n", status)
    assert re.search(r"Seccomp:\s+2\n", status)
    device.machine.run("systemctl", "reload", "mask-patrol")
    wait_until(lambda: device.machine.property("ActiveState") == "active", "the reload is over")
    # The daemon can still read whether the clock is synchronised.
    code = "import edge.common.clock; print(edge.common.clock.kernel_clock_state())"
    state = device.machine.run("/opt/mask-patrol/current/bin/python", "-c", code).stdout.strip()
    synced = device.subscriber.bodies("events")[-1]["clock_synced"]
    assert synced == (0 <= int(state) < 5)
    journal = device.machine.run("systemd-analyze", "cat-config", "systemd/journald.conf").stdout
    assert "\nSystemMaxUse=64M\n" in journal
    if int(device.machine.run("systemctl", "--version").stdout.split()[1]) >= 254:
        device.machine.run("udevadm", "verify", "/usr/local/lib/udev/rules.d/60-mask-patrol.rules")
        assert device.machine.property("RestartMaxDelayUSec") == "20s"
    # Only root may read the password; the daemon may also read the configuration.
    modes = device.machine.run(
        "stat", "-c", "%a %U %G", "/etc/mask-patrol/credentials",
        "/etc/mask-patrol/mask-patrol.toml", "/run/mask-patrol/status.json",
    )  # fmt: skip
    assert modes.stdout.splitlines() == [
        "700 root root",
        "640 root mask-patrol",
        "644 mask-patrol mask-patrol",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_missing_data_partition_keeps_the_daemon_running(device: Device) -> None:
    machine = device.machine
    machine.run("systemctl", "stop", "mask-patrol")
    for _ in range(2):  # this machine has no such partition
        assert machine.run("systemctl", "restart", "mask-patrol-data", check=False).returncode
    mounts = machine.run("findmnt", "-no", "SOURCE", "/var/lib/mask-patrol").stdout.split()
    assert mounts == ["mask-patrol-is-missing"]
    machine.run("systemctl", "start", "mask-patrol")
    # Events in memory get numbers that no earlier event has.
    device.subscriber.wait_for(
        lambda: device.subscriber.bodies("events")[-1]["seq"] > 1_000_000_000, "an alert"
    )
    result = machine.run("mask-patrol", "status", check=False)
    assert result.returncode == 1
    assert "in MEMORY only" in result.stdout
    machine.run("systemctl", "stop", "mask-patrol")
    machine.run("umount", "/var/lib/mask-patrol")
    machine.run("systemctl", "reset-failed", "mask-patrol-data")
    machine.run("systemctl", "start", "mask-patrol")
    device.wait_online()


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_dashboard_with_preview_and_zone(device: Device, installer: str) -> None:
    machine, port = device.machine, free_port()
    config = device.write_config(f"preview = true\n[dashboard]\nport = {port}\n")
    device.write_dashboard_account()
    machine.run(installer, "--offline", "--dashboard", "--config", config)
    device.wait_online()
    client = DashboardClient(port)
    client.wait_listening()
    account = device.dashboard_account()
    assert "dashboard" in account
    assert PASSWORD not in account
    assert client.set_first_password(first_password_code(machine), DASHBOARD_PASSWORD) == 303
    assert client.get("/")[0] == 200
    wait_until(lambda: client.condition("door1") == "online", "the device is online")
    # The picture comes through the socket of the daemon, which runs as another account.
    wait_until(lambda: client.picture_shape() == frame_at(BARE_S).shape[:2], "a picture")
    wait_until(lambda: client.json("/camera/use")["state"] == "used", "the zone in use")

    # The daemon saves the zone into its own folder, and the settings file stays as it is.
    settings = device.path(CONFIG).read_bytes()
    zone = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    status, error = client.save_zone(zone)
    assert status == 200, error
    wait_until(lambda: client.json("/camera/use")["state"] == "used", "the saved zone")
    assert client.json("/camera/drawing")["zone"] == zone
    assert device.path(CONFIG).read_bytes() == settings
    saved = "/var/lib/mask-patrol/camera.toml"
    assert machine.run("stat", "-c", "%a %U", saved).stdout == "600 mask-patrol\n"
    machine.run("systemctl", "restart", "mask-patrol")
    device.wait_online()
    wait_until(lambda: client.json("/camera/use")["state"] == "used", "the zone after the restart")
    assert client.json("/camera/drawing")["zone"] == zone
    journal = machine.run("journalctl", "--unit", "mask-patrol", "--no-pager").stdout
    assert f"`camera.zone`: from {saved}, which the Camera page has saved" in journal

    # The command in the documentation returns to the settings file.
    text = (PACKAGE / "dashboard" / "README.md").read_text()
    (command,) = re.findall(r"(?m)^sudo (rm .*) && sudo systemctl reload mask-patrol$", text)
    machine.run(*command.split())
    machine.run("systemctl", "reload", "mask-patrol")
    wait_until(lambda: client.json("/camera/use")["state"] == "used", "the settings file")
    assert client.json("/camera/drawing")["zone"] == []
    machine.run("systemctl", "disable", "--now", "mask-patrol-dashboard")


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_other_accounts_cannot_use_root(device: Device, installer: str) -> None:
    """Earlier documentation gave /etc/mask-patrol to the group that the dashboard is in."""
    machine, folder = device.machine, "/etc/mask-patrol"

    def run_as(account: str, *command: str) -> int:
        member = ("setpriv", f"--reuid={account}", "--regid=mask-patrol", "--clear-groups")
        return machine.run(*member, *command, check=False).returncode

    machine.run("chgrp", "mask-patrol", folder)
    machine.run("chmod", "2775", folder)
    assert run_as("nobody", "ln", "-sf", "/etc/passwd", f"{CONFIG}.old") == 0
    before = device.path("/etc/passwd").read_bytes()
    # The lock of earlier versions, which every user could create and hold.
    lock = "/run/lock/mask-patrol-install.lock"
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    machine.start(*nobody, "flock", lock, "sleep", "120")  # ends with the container at the latest
    wait_until(
        lambda: machine.run("flock", "-n", lock, "true", check=False).returncode != 0, "the lock"
    )
    config = device.write_config("name = 'hall'\n")
    result = machine.run(installer, "--offline", "--config", config)
    machine.run("rm", lock)  # an earlier release, which a later test installs, must get a free one
    assert f"{folder}: other accounts can no longer write to it" in result.stdout
    assert device.path("/etc/passwd").read_bytes() == before
    assert not device.path(f"{CONFIG}.old").is_symlink()
    assert run_as("nobody", "ln", "-s", "/etc/passwd", f"{CONFIG}.new") != 0
    assert run_as("nobody", "ls", "/run/mask-patrol-install") != 0

    # The unit that saves the time follows no link of the daemon's account.
    state = "/var/lib/mask-patrol"
    machine.run("systemctl", "stop", "mask-patrol")
    machine.run("mount", "--bind", state, state)
    assert run_as("mask-patrol", "ln", "-s", "/etc/touched", f"{state}/clock") == 0
    machine.run("systemctl", "start", "mask-patrol-clock.service")
    assert not device.path("/etc/touched").exists()
    assert machine.run("stat", "-c", "%F %U", f"{state}/clock").stdout == (
        "regular empty file mask-patrol\n"
    )
    machine.run("touch", f"{state}/clock")
    machine.run("chown", "root:root", f"{state}/clock")  # as earlier versions created it
    machine.run("systemctl", "start", "mask-patrol-clock.service")
    machine.run("umount", state)
    machine.run("systemctl", "start", "mask-patrol")
    device.wait_online()


@pytest.mark.slow
def test_second_installation_changes_nothing(device: Device, installer: str, first: str) -> None:
    process, files = device.process(), device.files()
    result = device.machine.run(installer, "--offline")
    assert f"Nothing to change: {first} is installed." in result.stdout
    assert device.process() == process
    changed = {name for name, _ in files.items() ^ device.files().items()}
    assert {name for name in changed if not name.startswith("/var/lib/mask-patrol")} == set()


@pytest.mark.slow
def test_update_to_a_working_release(device: Device, variants: dict[str, Path], first: str) -> None:
    process = device.process()
    config = device.path(CONFIG).read_text()
    code, output = device.update(variants["good"])
    assert code == 0, output
    assert (device.linked_release("current"), device.linked_release("previous")) == (
        "0.2.0+good",
        first,
    )
    assert device.process() != process
    assert device.path(CONFIG).read_text() == config
    process = device.process()
    code, output = device.update(variants["good"])
    assert (code, output.splitlines()[-1]) == (0, "0.2.0+good runs already: nothing to do.")
    assert device.process() == process


@pytest.mark.soak
def test_manual_rollback(device: Device, variants: dict[str, Path], first: str) -> None:
    assert device.update(variants["good"])[0] == 0
    code, output = device.update("--back")
    assert code == 0, output
    assert (device.linked_release("current"), device.linked_release("previous")) == (
        first,
        "0.2.0+good",
    )
    device.wait_online()


def numbers_of(device: Device, name: str) -> list[int]:
    """Return `seq` of each event of the device `name`."""
    return [event["seq"] for event in device.subscriber.bodies(f"{name}/events")]


def wait_for_event(device: Device, name: str, event_type: str) -> None:
    """Wait until `event_type` is the newest event of the device `name`."""

    def is_newest() -> bool:
        events = device.subscriber.bodies(f"{name}/events")
        return bool(events) and events[-1]["event_type"] == event_type

    device.subscriber.wait_for(is_newest, f"{event_type} of {name}")


def show(camera: MjpegCamera, second: float) -> None:
    """Show the bundled clip at `second` from now on, with pictures that are not all the same."""
    camera.show([frame_at(second), frame_at(second + 0.3)])


def visit(device: Device, name: str, camera: MjpegCamera) -> None:
    """Let a person come into view of a camera that shows nobody, and leave."""
    show(camera, BARE_S)
    wait_for_event(device, name, "no_mask_start")
    show(camera, EMPTY_S)
    wait_for_event(device, name, "no_mask_end")


DOOR2 = "mask-patrol@door2.service"


def add_camera(device: Device, name: str, source: str) -> subprocess.CompletedProcess[str]:
    command = ("mask-patrol", "camera", "add", name, "--source", source, "--title", "Tür 2")
    return device.machine.run(*command, "--within", "120", check=False)


def assert_second_camera_is_installed(device: Device, port: int) -> None:
    machine = device.machine
    assert machine.run("systemctl", "is-enabled", DOOR2).stdout == "enabled\n"
    device.wait_online()
    screen = machine.run("mask-patrol", "status").stdout
    assert re.search(r"(?m)^mask-patrol +ok +door1: running", screen), screen
    assert re.search(r"(?m)^door2 +ok +Tür 2 \(door2\): running", screen), screen
    assert "device Tür 2 (door2)" in machine.run("mask-patrol", "status", "door2").stdout
    assert device.status()["cameras"]["door2"]["status"]["device"] == "door2"
    # Only root may read the password of the camera, which messages hide.
    assert "secret" not in device.path("/etc/mask-patrol/door2.toml").read_text()
    listed = machine.run("mask-patrol", "camera", "list").stdout
    assert re.search(rf"(?m)^door2 +{DOOR2} +http://127.0.0.1:{port}/", listed), listed
    modes = machine.run(
        "stat", "-c", "%a %U %G", "/etc/mask-patrol/door2.toml",
        "/etc/mask-patrol/door2.credentials", "/run/mask-patrol-cameras/door2/status.json",
        "/var/lib/mask-patrol/cameras/door2",
    )  # fmt: skip
    assert modes.stdout.splitlines() == [
        "640 root mask-patrol",
        "700 root root",
        "644 mask-patrol mask-patrol",
        "700 mask-patrol mask-patrol",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_second_camera_is_unplugged_and_returns(device: Device) -> None:
    machine, before = device.machine, device.files().keys()
    show(device.camera, EMPTY_S)
    machine.run("systemctl", "restart", "mask-patrol")  # it forgets the person that kept still
    empty = [frame_at(EMPTY_S), frame_at(EMPTY_S + 0.3)]
    with MjpegCamera(empty) as second:
        result = add_camera(device, "door2", second.url)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "sudo systemctl reload mask-patrol@door2" in result.stdout
        assert_second_camera_is_installed(device, second.port)
        result = add_camera(device, "door2", "demo")
        assert (result.returncode, "there is a camera door2 already" in result.stderr) == (2, True)
        # A camera that does not deliver leaves nothing behind.
        result = add_camera(device, "door3", "rtsp://127.0.0.1:1/none")
        assert result.returncode == 1
        assert "door3 was not added: its check failed" in result.stderr
        assert not [name for name in device.files() if "door3" in name]
        already = len(numbers_of(device, "door1"))
        visit(device, "door1", device.camera)
        show(second, BARE_S)
        wait_for_event(device, "door2", "no_mask_start")
    # Unplugged: the other camera continues, and status names the problem.
    wait_for_event(device, "door2", "no_mask_end")
    visit(device, "door1", device.camera)
    result = machine.run("mask-patrol", "status", check=False)
    assert result.returncode == 1
    assert re.search(r"(?m)^mask-patrol +ok ", result.stdout), result.stdout
    assert re.search(r"(?m)^door2 +PROBLEM +.*its camera is reopening", result.stdout)
    with MjpegCamera(empty, port=second.port) as second:
        device.wait_online()
        visit(device, "door2", second)
        visit(device, "door1", device.camera)
        first_numbers = numbers_of(device, "door1")[already:]
        assert len(set(first_numbers)) == 6
        for numbers in (first_numbers, numbers_of(device, "door2")):
            assert sorted(set(numbers)) == list(range(min(numbers), max(numbers) + 1))
        result = machine.run("mask-patrol", "camera", "remove", "door2", "--purge")
        assert result.stdout == "door2 is removed.\n"
    device.wait_online()
    assert device.files().keys() ^ before <= {"/var/lib/mask-patrol/cameras"}
    show(device.camera, BARE_S)


@pytest.mark.soak
@pytest.mark.usefixtures("first")
def test_updates_treat_all_cameras(
    device: Device, installer: str, variants: dict[str, Path]
) -> None:
    machine = device.machine

    def processes() -> set[str]:
        return {device.process(), device.process(DOOR2)}

    with MjpegCamera([frame_at(BARE_S), frame_at(BARE_S + 0.3)]) as second:
        assert add_camera(device, "door2", second.url).returncode == 0
        old = processes()
        code, output = device.update(variants["good"])
        assert code == 0, output
        assert "as the camera of door2" in output
        updated = processes()
        assert not updated & old
        machine.run(installer, "--offline")
        assert not processes() & updated
        device.wait_online()
        assert "Nothing to change" in machine.run(installer, "--offline").stdout

        # Without the data partition, events are in memory.
        machine.run("systemctl", "stop", "mask-patrol", DOOR2)
        machine.run("systemctl", "restart", "mask-patrol-data", check=False)
        machine.run("systemctl", "start", DOOR2)
        wait_until(
            lambda: "MEMORY" in machine.run("mask-patrol", "status", "door2", check=False).stdout,
            "events in memory",
            PATIENCE_S,
        )
        machine.run("systemctl", "stop", DOOR2)
        machine.run("umount", "/var/lib/mask-patrol")
        machine.run("systemctl", "reset-failed", "mask-patrol-data")
        machine.run("systemctl", "start", "mask-patrol", DOOR2)
        device.wait_online()
        left = machine.run("mask-patrol", "camera", "remove", "door2").stdout
        assert "Left: /var/lib/mask-patrol/cameras/door2 (sudo rm -r" in left


@pytest.mark.slow
def test_unusable_bundles_are_refused(
    device: Device, variants: dict[str, Path], first: str
) -> None:
    process, versions = device.process(), device.releases()
    content = bytearray(variants["crashes"].read_bytes())
    content[40_000_000] ^= 1
    (device.path("/root") / "damaged.tar").write_bytes(content)
    (device.path("/root") / "cut.tar").write_bytes(content[:30_000_000])
    (device.path("/root") / "none.tar").write_bytes(b"no archive")
    unsigned = device.copy(variants["crashes"])
    device.machine.run("tar", "--delete", "--file", unsigned, "--wildcards", "*.sig")
    for bundle, expected, code in (
        (unsigned, "is not signed", 1),
        (variants["older"], f"0.0.9+older is older than {first}", 1),
        ("/root/damaged.tar", "has a damaged wheels/", 1),
        ("/root/cut.tar", "is not a bundle, or is damaged", 1),
        ("/root/none.tar", "is not a bundle, or is damaged", 1),
        ("/root/nowhere.tar", "cannot read the bundle /root/nowhere.tar: No such file", 2),
        (variants["unfit"], f"0.3.0+unfit failed its check; {first} keeps running", 1),
    ):
        result, output = device.update(bundle)
        assert result == code, output
        assert expected in output.splitlines()[-1]
        assert "Traceback" not in output
    assert (device.process(), device.releases()) == (process, versions)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("crashes", "failed (exit-code)", marks=pytest.mark.soak),
        ("mute", "it is not connected to the broker"),
    ],
)
def test_release_that_fails_its_trial_is_rolled_back(
    device: Device, variants: dict[str, Path], first: str, name: str, reason: str
) -> None:
    previous, versions = device.linked_release("previous"), device.releases()
    code, output = device.update(variants[name], "--within", "12")
    assert code == 1, output
    assert f"0.3.0+{name} did not come online ({reason}" in output
    assert f"; {first} runs again" in output
    assert (device.linked_release("current"), device.linked_release("previous")) == (
        first,
        previous,
    )
    assert device.releases() == versions
    device.wait_online()


@pytest.mark.soak
@pytest.mark.usefixtures("first")
def test_hung_daemon_is_restarted_with_traceback(device: Device) -> None:
    machine = device.machine
    dropin = device.path("/etc") / "systemd/system/mask-patrol.service.d/short.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nWatchdogSec=3\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "mask-patrol")
    device.wait_online()
    process = device.process()
    machine.run("sh", "-c", f"kill -STOP {process}")
    wait_until(lambda: device.process() not in (process, "0"), "another process runs", PATIENCE_S)
    device.wait_online()
    journal = machine.run("journalctl", "--unit", "mask-patrol", "--no-pager").stdout
    assert "Watchdog timeout" in journal
    assert "edge/daemon/loop.py" in journal
    assert "restarted once" in machine.run("mask-patrol", "status").stdout
    shutil.rmtree(dropin.parent)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.soak
@pytest.mark.usefixtures("first")
def test_pins_of_a_killed_daemon_are_switched_off_by_the_unit(device: Device) -> None:
    """With gpiozero's pins without hardware: a container has no others."""
    machine = device.machine
    dropin = device.path("/etc") / "systemd/system/mask-patrol.service.d/pins.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nEnvironment=GPIOZERO_PIN_FACTORY=mock\n")
    config = device.path(CONFIG)
    before = config.read_text()
    config.write_text(f"{before}[[output]]\nname = 'light'\npin = 17\nmin_on_s = 3600.0\n")
    machine.run("mask-patrol", "outputs", "setup")
    device.wait_online()
    wait_until(lambda: device.health()["outputs"][0]["on"], "the light is on", PATIENCE_S)
    shown = machine.run("systemctl", "show", "mask-patrol").stdout
    assert "char-gpiochip rw" in shown
    assert "SupplementaryGroups=video gpio" in shown
    assert machine.run("getent", "group", "gpio").stdout

    def switched_off() -> int:
        journal = machine.run("journalctl", "--unit", "mask-patrol", "--no-pager").stdout
        return journal.count("light: GPIO17 is off")

    before_kill, process = switched_off(), device.process()
    machine.run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=main", "mask-patrol")
    wait_until(lambda: switched_off() > before_kill, "it is switched off", PATIENCE_S)
    wait_until(lambda: device.process() not in (process, "0"), "another process runs", PATIENCE_S)
    device.wait_online()

    config.write_text(before)
    machine.run("mask-patrol", "outputs", "setup")
    device.wait_online()
    assert "char-gpiochip" not in machine.run("systemctl", "show", "mask-patrol").stdout
    shutil.rmtree(dropin.parent)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.soak
def test_power_cut_in_a_trial_rolls_back_at_boot(
    device: Device, variants: dict[str, Path], first: str
) -> None:
    dropin = device.path("/etc") / "systemd/system/mask-patrol-settle.service.d/short.conf"
    dropin.parent.mkdir()
    command = f"{RELEASES}/{first}/bin/mask-patrol update --settle --within 15"
    dropin.write_text(f"[Service]\nExecStart=\nExecStart={command}\n")
    running = device.machine.start("mask-patrol", "update", device.copy(variants["mute"]))
    wait_until(
        lambda: device.linked_release("current") == "0.3.0+mute",
        "the new release is activated",
        PATIENCE_S,
    )
    device.machine.cut()
    running.communicate()
    device.machine.boot()
    wait_until(
        lambda: device.linked_release("current") == first,
        "the old release is activated",
        PATIENCE_S,
    )
    device.wait_online()
    wait_until(lambda: not (device.path(RELEASES) / "trial").exists(), "the trial has ended")
    assert device.linked_release("current") == first
    shutil.rmtree(dropin.parent)


@pytest.fixture(scope="module")
def old_bundle(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of OLD_COMMIT, made by that commit's own script from the cached wheels."""
    archive = subprocess.run(
        ["git", "archive", OLD_COMMIT], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"the commit {OLD_COMMIT[:7]} is not in this clone")
    tree, out = tmp_path_factory.mktemp("old"), tmp_path_factory.mktemp("old-bundle")
    # Not by tarfile: Debian's Python 3.11.2 lacks the filter that later versions require.
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    (tree / ".cache").symlink_to(ROOT / ".cache")
    command = [sys.executable, tree / "systemd/bundle.py", "--machine", platform.machine()]
    subprocess.run(
        [*command, "--python", PYTHON_OF[suite], "--out", out],
        env={**os.environ, "PYTHONPATH": ""},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (bundle,) = out.iterdir()
    return bundle


def give_dashboard_its_own_account(device: Device, client: DashboardClient) -> None:
    """Replace the account of the dashboard, which has used that of the daemon so far."""
    assert PASSWORD in device.dashboard_account()
    device.write_dashboard_account()
    device.machine.run("systemctl", "restart", "mask-patrol-dashboard")
    client.wait_listening()
    wait_until(lambda: client.condition("door1") == "online", "the device is online", PATIENCE_S)
    assert PASSWORD not in device.dashboard_account()


@pytest.mark.slow
def test_update_from_old_release_keeps_all_data(
    device: Device, old_bundle: Path, installer: str, bundle: Path
) -> None:
    """The updater of OLD_COMMIT installs the present release."""
    machine, client = device.machine, DashboardClient(free_port())
    machine.run(installer, "uninstall", "--purge")
    earlier = len(device.subscriber.bodies("events"))

    def delivered() -> list[int]:
        return [event["seq"] for event in device.subscriber.bodies("events")[earlier:]]

    # Give the old release a configuration, credentials, a password, and an acknowledged alert.
    device.write_credentials()
    config = device.write_config(f"[dashboard]\nport = {client.port}\n")
    machine.run(device.unpack(old_bundle), "--offline", "--dashboard", "--config", config)
    old = device.linked_release("current")
    client.wait_listening()
    assert client.set_first_password(first_password_code(machine), DASHBOARD_PASSWORD) == 303
    wait_until(lambda: client.condition("door1") == "online", "the device is online", PATIENCE_S)
    machine.run("systemctl", "restart", "mask-patrol")  # makes another alert
    wait_until(lambda: bool(client.history()), "an alert in the history", PATIENCE_S)
    assert client.acknowledge(client.history()[0]["id"]) == 200

    # While the broker does not run, the old release records events that it cannot deliver.
    device.wait_online()
    device.subscriber.wait_for(
        lambda: device.subscriber.bodies("events")[-1]["event_type"] == "no_mask_start",
        "a running alert",
    )
    device.broker.stop()
    machine.run("systemctl", "restart", "mask-patrol")  # ends that alert and begins another one
    wait_until(
        lambda: device.health().get("outbox_depth", 0) > 1, "two undelivered events", PATIENCE_S
    )
    machine.run("systemctl", "stop", "mask-patrol")
    last_delivered = max(delivered())
    device.start_broker()
    wait_until(device.subscriber.client.is_connected, "the subscriber is connected", PATIENCE_S)
    wait_until(lambda: client.get("/history.csv")[0] == 200, "the history")
    history = {row["id"]: (row["started"], row["acknowledged"]) for row in client.history()}
    assert any(acknowledged for _, acknowledged in history.values())
    kept = (CONFIG, "/etc/mask-patrol/credentials/mqtt-password")
    contents = [device.path(name).read_bytes() for name in kept]

    code, output = device.update(bundle)
    assert code == 0, output
    device.wait_online()
    assert device.linked_release("current") != old
    assert device.linked_release("previous") == old
    assert [device.path(name).read_bytes() for name in kept] == contents

    # Every event arrives, with numbers that continue those of the old release.
    device.subscriber.wait_for(lambda: max(delivered()) > last_delivered + 2, "new events")
    assert sorted(set(delivered())) == list(range(1, max(delivered()) + 1))

    # The old password and the old history are kept, and new alerts are added.
    client = DashboardClient(client.port)
    client.wait_listening()
    assert client.log_in("not the password") == 403
    assert client.log_in(DASHBOARD_PASSWORD) == 303
    wait_until(lambda: client.condition("door1") == "online", "the device is online", PATIENCE_S)
    machine.run("systemctl", "restart", "mask-patrol")
    wait_until(lambda: {row["id"] for row in client.history()} > history.keys(), "a new alert")
    give_dashboard_its_own_account(device, client)
    rows = {row["id"]: (row["started"], row["acknowledged"]) for row in client.history()}
    assert {key: rows[key] for key in history} == history
    machine.run("systemctl", "disable", "--now", "mask-patrol-dashboard")


@pytest.mark.slow
def test_uninstall_names_and_keeps_data_until_purged(device: Device, installer: str) -> None:
    machine = device.machine
    machine.run(installer, "uninstall", "--purge")
    before = device.files()
    device.write_credentials()
    machine.run(installer, "--offline", "--config", device.write_config())
    # A further camera that does not come online.
    machine.run("mask-patrol", "camera", "add", "door2", "--source", "rtsp://127.0.0.1:1/none",
                "--keep", "--within", "1", check=False)  # fmt: skip
    wait_until(lambda: device.process(DOOR2) != "0", "the daemon of door2 runs", PATIENCE_S)
    result = machine.run("/opt/mask-patrol/current/share/mask-patrol/install.sh", "uninstall")
    assert device.process(DOOR2) == "0"
    assert "Left: /etc/mask-patrol (" in result.stdout
    assert "Left: /var/lib/mask-patrol (" in result.stdout
    device.subscriber.wait_for(
        lambda: device.subscriber.bodies("status")[-1] == "offline", "offline at the broker"
    )
    left = set(device.files().keys() ^ before.keys())
    data = ("/etc/mask-patrol", "/var/lib/mask-patrol")
    assert {name for name in left if not name.startswith(data)} == set()
    assert "mask-patrol" not in (device.path("/etc") / "passwd").read_text()
    machine.run(installer, "uninstall", "--purge")
    assert device.files().keys() == before.keys()
