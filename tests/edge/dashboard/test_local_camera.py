"""Saving on the Camera page through the daemon's socket, and the reported status."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.config.settings import load_settings
from edge.daemon.camera_file import Drawing
from edge.dashboard.local_camera import UNREADABLE_ANSWER, ConfigStatus, LocalCamera, local_cameras
from tests.support.dashboard.preview_daemons import PreviewDaemon

ZONE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
POSTER = (0.4, 0.4, 0.2, 0.1)
DRAWING = Drawing(zone=ZONE, excluded=(POSTER,), min_face=0.2, rotate=180, mirror=True)
WAITING = json.dumps(
    {
        "reloading": True,
        "refused": "",
        "drawing": {"zone": [], "excluded": [], "min_face": 0.1},
        "saved": {"zone": [], "excluded": [], "min_face": 0.1},
    }
).encode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'[camera]\npreview = true\npreview_socket = "{tmp_path}/eye"\n')
    path.chmod(0o440)
    return path


@contextlib.contextmanager
def daemon_answering(answer: Callable[[], bytes], folder: Path) -> Iterator[None]:
    """Run a daemon that answers one connection to the socket in `folder`."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "eye"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(20)


def test_cameras_of_the_installed_service_are_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those with a preview; settings that are wrong do not prevent the others."""
    folder = tmp_path / "etc/mask-patrol"
    on = "preview = true\n"
    for name, preview in (
        ("mask-patrol", on),
        ("door2", on),
        ("door3", ""),
        ("door4", "x"),
        ("door5", f"{on}preview_socket = '/{'x' * 200}'"),  # too long for a socket
    ):
        (folder / f"{name}.credentials").mkdir(parents=True)
        text = f"device = '{name}'\ntitle = 'Tür'\n[camera]\n{preview}"
        (folder / f"{name}.toml").write_text(text)
    first = folder / "mask-patrol.toml"
    settings = load_settings(first)
    found = local_cameras(settings, first, tmp_path)
    assert [(c.device, c.title) for c in found.values()] == [
        ("mask-patrol", "Tür"),
        ("door2", "Tür"),
    ]
    assert "the Camera page leaves out door4" in caplog.text
    assert "the Camera page leaves out door5" in caplog.text
    assert list(local_cameras(settings, tmp_path / "other.toml", tmp_path)) == ["mask-patrol"]
    # Its own socket, once the daemon has created it.
    runtime = tmp_path / "run/mask-patrol-cameras/door2"
    runtime.mkdir(parents=True)
    (runtime / "preview.sock").touch()
    with pytest.raises(UserError, match=f"does not answer at {runtime}/preview.sock"):
        found["door2"].view()


def test_daemon_saves_the_drawing(config: Path) -> None:
    camera, before = LocalCamera(load_settings(config)), config.read_text()
    with PreviewDaemon(config) as daemon:
        present = Drawing.of(load_settings(config))
        assert camera.saved_drawing() == (present, ConfigStatus("used", "", present))
        assert camera.save(DRAWING) == (DRAWING, ConfigStatus("waiting"))
        assert camera.saved_drawing() == (DRAWING, ConfigStatus("waiting"))
        daemon.reload()
        assert camera.config_status() == ConfigStatus("used", "", DRAWING)
        # None leaves a setting unchanged.
        assert camera.save(Drawing(zone=()))[0] == Drawing(
            zone=(), excluded=(POSTER,), min_face=0.2, rotate=180, mirror=True
        )
        daemon.reload("no such camera")
        assert camera.config_status() == ConfigStatus("refused", "no such camera")
    assert config.read_text() == before


def test_edited_settings_are_other_settings(config: Path) -> None:
    camera = LocalCamera(load_settings(config))
    with PreviewDaemon(config) as daemon:
        in_use = Drawing.of(daemon.settings)
        config.chmod(0o600)
        config.write_text(config.read_text() + "[detector]\nmin_face = 0.3\n")
        drawing, status = camera.saved_drawing()
        assert (drawing.min_face, status) == (0.3, ConfigStatus("other", "", in_use))
        config.write_text("zone = [")
        for request in (camera.saved_drawing, camera.config_status, lambda: camera.save(DRAWING)):
            with pytest.raises(UserError, match=r"door\.toml is not valid TOML"):
                request()
        daemon.reload("invalid")


def test_without_a_daemon_nothing_is_saved(config: Path, tmp_path: Path) -> None:
    camera = LocalCamera(load_settings(config))
    for request in (camera.saved_drawing, lambda: camera.save(DRAWING)):
        with pytest.raises(UserError, match="the daemon does not answer"):
            request()
    status = camera.config_status()
    assert (status.state, "the daemon does not answer" in status.why) == ("away", True)
    assert [path.name for path in tmp_path.iterdir()] == ["door.toml"]


def test_full_socket_queue_is_retried(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()
    monkeypatch.setattr("edge.dashboard.local_camera.time.sleep", lambda _: tried.set())
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(str(tmp_path / "eye"))
        listener.listen(0)
        waiting = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                other = stack.enter_context(socket.socket(socket.AF_UNIX))
                other.setblocking(False)
                other.connect(str(tmp_path / "eye"))
                waiting += 1

        def serve() -> None:
            tried.wait(20)
            for _ in range(waiting):
                stack.enter_context(listener.accept()[0])
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(WAITING)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert LocalCamera(load_settings(config)).config_status().state == "waiting"
        thread.join(20)


@pytest.mark.parametrize("answer", [b"", b"{}", b"\xff", b"[1]", b'{"reloading": 1}'])
def test_unreadable_answer_is_reported(config: Path, tmp_path: Path, answer: bytes) -> None:
    with daemon_answering(lambda: answer, tmp_path):
        status = LocalCamera(load_settings(config)).config_status()
    assert (status.state, status.why) == ("away", UNREADABLE_ANSWER)
