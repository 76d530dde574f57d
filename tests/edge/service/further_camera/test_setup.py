"""Installing further cameras below a folder that stands for the root of a device.

The system is replaced: no unit starts, and a check passes. The files and the broker are real.
"""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UsageError, UserError
from edge.common.signals import StoppedError
from edge.config.installed_camera import InstalledCamera, further_cameras
from edge.config.settings import load_settings
from edge.mqtt.broker import Broker
from edge.service.further_camera.broker_login import DeviceAccounts
from edge.service.further_camera.settings_file import NewCamera
from edge.service.further_camera.setup import CameraSetup, removable_camera, shown_source
from edge.service.further_camera.system import CameraSystem
from tests.support.mqtt.answers import connect_reason
from tests.support.mqtt.local_broker import LocalBroker

STREAM = "rtsp://me:secret@192.168.1.20/stream"
FIRST = """
device = "door1"
[camera]
source = "/dev/video0"
[mqtt]
host = "broker.lan"
port = 8883
tls = true
client_id = "mine"
"""


@dataclass
class FakeSystem(CameraSystem):
    """Records what is done, instead of doing it."""

    calls: list[str] = field(default_factory=list)
    passes: bool = True
    problem: str | None = None

    def prepare(self) -> None:
        self.calls.append("prepare")

    def group(self) -> int:
        return 0

    def check(self, camera: InstalledCamera) -> bool:
        load_settings(camera.configuration)
        camera.state.mkdir(parents=True, exist_ok=True)  # as the check of the outbox
        return self.passes

    def start(self, camera: InstalledCamera) -> None:
        self.calls.append(f"start {camera.unit}")

    def wait_until_online(self, camera: InstalledCamera, within_s: float) -> str | None:
        return self.problem

    def stop(self, camera: InstalledCamera) -> None:
        self.calls.append(f"stop {camera.unit}")

    def remove_state(self, camera: InstalledCamera) -> None:
        camera.state.rmdir()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A device whose first camera is `FIRST`, with a login at its broker."""
    folder = tmp_path / "etc/mask-patrol"
    (folder / "credentials").mkdir(parents=True)
    (folder / "mask-patrol.toml").write_text(FIRST)
    (folder / "credentials/mqtt-username").write_text("door\n")
    (folder / "credentials/mqtt-password").write_text("let me in\n")
    (tmp_path / "var/lib/mask-patrol/cameras").mkdir(parents=True)
    return tmp_path


def setup(root: Path, **changes: Any) -> CameraSetup:
    return CameraSetup(lambda _line: None, root, FakeSystem(**changes))


def add(root: Path, name: str = "door2", source: str = STREAM, **more: Any) -> InstalledCamera:
    return setup(root).add(NewCamera(name, source, **more), 1.0)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_everything_known_is_taken_from_the_first_camera(root: Path) -> None:
    camera = add(root, title="Tür 2")
    settings = load_settings(camera.configuration)
    assert (settings.device, settings.title, settings.board.led) == ("door2", "Tür 2", "")
    mqtt = settings.mqtt
    assert (mqtt.host, mqtt.port, mqtt.tls, mqtt.client_id) == ("broker.lan", 8883, True, "")
    assert stat.S_IMODE(camera.configuration.stat().st_mode) == 0o640
    assert stat.S_IMODE(camera.credentials.stat().st_mode) == 0o700
    secrets = {path.name: path.read_text() for path in camera.credentials.iterdir()}
    assert secrets == {
        "mqtt-username": "door\n",
        "mqtt-password": "let me in\n",
        "camera-source": f"{STREAM}\n",
    }
    assert "secret" not in camera.configuration.read_text()
    assert shown_source(camera) == STREAM
    assert further_cameras(root) == [camera]
    assert removable_camera("door2", root) == camera


def test_own_broker_and_account_are_used(root: Path) -> None:
    (root / "clip.mp4").touch()
    source = str(root / "clip.mp4")
    camera = add(
        root, source=source, broker=("192.168.1.5", None), username="u", password="of door2"
    )
    settings = load_settings(camera.configuration)
    assert (settings.mqtt.host, settings.mqtt.tls, settings.camera.source) == (
        "192.168.1.5",
        False,
        source,
    )
    assert (camera.credentials / "mqtt-password").read_text() == "of door2\n"
    # The next one has the broker of the first camera that has one.
    assert load_settings(add(root, "door3").configuration).mqtt.host == "broker.lan"
    first = InstalledCamera(root=root).configuration
    first.write_text("")
    assert load_settings(add(root, "door4").configuration).mqtt.host == "192.168.1.5"


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("mask-patrol", STREAM, "mask-patrol is the name of the first camera"),
        ("Tür 2", STREAM, "cannot be the name of a camera: it must begin with a letter"),
        ("../x", STREAM, "cannot be the name of a camera"),
        ("-x", STREAM, "cannot be the name of a camera"),
        ("x" * 49, STREAM, "at most 48 letters"),
        ("door1", STREAM, "the camera mask-patrol is the device door1 already"),
        ("door2", "0", "the camera mask-patrol uses /dev/video0 already"),
        ("door2", "/dev/video0", "the camera mask-patrol uses /dev/video0 already"),
        ("door2", "ftp://camera.lan/", "the address must begin with rtsp://, rtsps://"),
        ("door2", "me:secret@camera.lan/x", "looks like an address, but has no scheme"),
        ("door2", "/none.mp4", "there is no /none.mp4; a camera is picamera2"),
    ],
)
def test_impossible_camera_is_refused(root: Path, name: str, source: str, expected: str) -> None:
    before = files(root)
    with pytest.raises(UsageError) as refusal:
        add(root, name, source)
    assert expected in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert files(root) == before


def test_camera_needs_a_broker(root: Path) -> None:
    InstalledCamera(root=root).configuration.write_text("")
    with pytest.raises(UsageError, match="name yours with --broker HOST"):
        add(root)


def test_camera_that_fails_is_removed_unless_kept(root: Path) -> None:
    before = files(root)
    for changes, reason in (({"passes": False}, "its check failed"), ({"problem": "p"}, "p")):
        failing, new = setup(root, **changes), NewCamera("door2", STREAM)
        with pytest.raises(UserError) as failure:
            failing.add(new, 1.0)
        assert f"door2 was not added: {reason}" in str(failure.value)
        assert files(root) == before
        with pytest.raises(UserError, match=f"door2 was added, but is not online: {reason}"):
            failing.add(new, 1.0, keep=True)
        assert "start mask-patrol@door2.service" in failing.system.calls  # type: ignore[attr-defined]
        failing.remove(further_cameras(root)[0], purge=True)
        assert files(root) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interruption_removes_the_camera(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A lost SSH connection is one; a second signal does not interrupt the removal."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(FakeSystem, "start", interrupt)
    monkeypatch.setattr(FakeSystem, "stop", interrupt)
    if number == signal.SIGINT:  # it is ignored in a process that was started in the background
        signal.signal(number, signal.default_int_handler)
    before, handler = files(root), signal.getsignal(number)
    expected = KeyboardInterrupt if number == signal.SIGINT else StoppedError
    with pytest.raises(expected):
        add(root)
    assert files(root) == before
    assert signal.getsignal(number) == handler


def test_settings_that_are_wrong_do_not_hide_the_other_cameras(root: Path) -> None:
    camera = add(root)
    camera.configuration.write_text("devcie = 'x'\n")
    assert shown_source(camera).startswith(f"({camera.configuration}: ")


def test_address_in_another_encoding_is_refused(root: Path) -> None:
    before = files(root)
    for source in ("rtsp://h/\udcfc", "rtsp://me:\udcfc@h/"):
        with pytest.raises(UserError, match=r"cannot write .* is not UTF-8 text"):
            add(root, source=source)
        assert files(root) == before


def test_credentials_of_an_earlier_camera_are_not_used(root: Path) -> None:
    """Somebody deleted its settings by hand, and left the folder."""
    camera = add(root, username="u", password="of door2")
    camera.configuration.unlink()
    add(root, source="/dev/video2")
    assert {path.name: path.read_text() for path in camera.credentials.iterdir()} == {
        "mqtt-username": "door\n",
        "mqtt-password": "let me in\n",
    }
    camera.configuration.unlink()
    add(root, source="/dev/video2", broker=("192.168.1.5", None))
    assert list(camera.credentials.iterdir()) == []


def test_data_are_kept_until_purged(root: Path) -> None:
    camera = add(root)
    setup(root).remove(camera, purge=False)
    assert (camera.configuration.exists(), camera.credentials.exists()) == (False, False)
    assert camera.state.exists()
    setup(root).remove(add(root), purge=True)
    assert not camera.state.exists()


def test_backup_of_settings_is_no_camera(root: Path) -> None:
    (root / "etc/mask-patrol/backup.toml").write_text(FIRST)
    assert further_cameras(root) == []
    with pytest.raises(UserError, match="there is no camera backup"):
        removable_camera("backup", root)
    with pytest.raises(UsageError, match=r"backup\.toml exists, but is no camera: move it away"):
        add(root, "backup")
    add(root)
    with pytest.raises(UsageError, match="there is a camera door2 already"):
        add(root)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBroker]:
    """A device with a running broker of its own."""
    local = LocalBroker(tmp_path)
    local.set_up()
    yield local
    local.process.stop()


@pytest.mark.slow
def test_camera_gets_an_account_at_the_broker_of_the_device(local: LocalBroker) -> None:
    root = local.places.root
    accounts = DeviceAccounts(root, local.process, lambda _name: 0)
    cameras = CameraSetup(lambda _line: None, root, FakeSystem(), accounts)
    camera = cameras.add(NewCamera("door2", STREAM), 1.0)
    login: Broker = local.own(camera.credentials)
    assert login.username == "door2"
    assert connect_reason(login) == 0
    assert local.accounts.names() == ["dashboard", "door1", "door2"]
    assert load_settings(camera.configuration).mqtt.ca_file == str(local.places.trusted)
    local.add("door9", "of another device")
    for name, expected in (("door9", "is another device at the broker"), ("dashboard", "other ri")):
        with pytest.raises(UsageError, match=expected):
            cameras.add(NewCamera(name, STREAM), 1.0)
    cameras.remove(camera, purge=False)
    assert local.accounts.names() == ["dashboard", "door1", "door9"]
    assert connect_reason(login) != 0
