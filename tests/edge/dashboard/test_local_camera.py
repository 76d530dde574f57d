"""Saving to the daemon's configuration file: the reported status, and the changes to the file."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.config.settings import load_settings
from edge.dashboard.local_camera import UNREADABLE_ANSWER, ConfigStatus, Drawing, LocalCamera

ZONE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
POSTER = (0.4, 0.4, 0.2, 0.1)
DRAWING = Drawing(zone=ZONE)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'[camera]\npreview = true\npreview_socket = "{tmp_path}/eye"\n')
    path.chmod(0o640)
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


def test_saving_works_without_a_daemon(config: Path) -> None:
    drawing = Drawing(zone=ZONE, excluded=(POSTER,), min_face=0.2)
    saved, status = LocalCamera(load_settings(config), config).save(drawing)
    assert (saved["zone"], saved["excluded"], saved["min_face"]) == (ZONE, (POSTER,), 0.2)
    assert status.state == "away"
    assert "the daemon does not answer" in status.why
    settings = load_settings(config)
    assert Drawing.of(settings) == drawing
    LocalCamera(settings, config).save(DRAWING)  # None leaves a setting unchanged
    assert Drawing.of(load_settings(config)) == drawing


def test_result_of_saving_ignores_later_changes(config: Path, tmp_path: Path) -> None:
    """After the file was written, it is damaged, and the daemon's answer is for another file."""
    camera = LocalCamera(load_settings(config), config)

    def answer() -> bytes:
        config.write_text("zone = [")
        return (
            b'{"reloading": false, "refused": "", "zone": [[0.5, 0.5]], "excluded": [],'
            b' "min_face": 0.3}'
        )

    with daemon_answering(answer, tmp_path):
        saved, status = camera.save(Drawing(zone=ZONE, min_face=0.2))
    assert saved["min_face"] == 0.2
    assert status == ConfigStatus(
        "other", "", Drawing(zone=((0.5, 0.5),), excluded=(), min_face=0.3)
    )


def test_saving_keeps_link_owner_and_mode(config: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(config, 1000, 1000)
    before = config.stat()
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    LocalCamera(load_settings(link), link).save(DRAWING)
    assert link.is_symlink()
    after = config.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert "zone" in config.read_text()


def test_planted_temporary_file_is_not_used(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / ".door.toml.new").symlink_to(victim)
    modes = []

    def record_mode(file: int, mode: int) -> None:  # the file's mode before this call is recorded
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        os.chmod(file, mode)

    monkeypatch.setattr(os, "fchmod", record_mode)
    LocalCamera(load_settings(config), config).save(DRAWING)
    assert victim.read_text() == "theirs"
    assert not config.is_symlink()
    assert "zone" in config.read_text()
    assert modes == [0o600]
    assert {path.name for path in tmp_path.iterdir()} == {"door.toml", ".door.toml.new", "victim"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another group")
def test_saving_fails_if_the_group_would_be_lost(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(config, -1, 1000)
    before = config.read_text()

    def refuse(*_: object) -> None:  # fails as in a service with PrivateUsers=
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fchown", refuse)
    camera = LocalCamera(load_settings(config), config)
    with pytest.raises(UserError, match=r"its group cannot be kept.*; write it there yourself"):
        camera.save(DRAWING)
    assert config.read_text() == before
    config.chmod(0o644)  # everybody may read the file: the group is not needed
    camera.save(DRAWING)
    assert "zone" in config.read_text()


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
                connection.sendall(
                    b'{"reloading": true, "refused": "", "zone": [], "excluded": [],'
                    b' "min_face": 0.1}'
                )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert LocalCamera(load_settings(config), config).config_status().state == "waiting"
        thread.join(20)


@pytest.mark.parametrize("answer", [b"", b"{}", b"\xff", b"[1]", b'{"reloading": 1}'])
def test_unreadable_answer_is_reported(config: Path, tmp_path: Path, answer: bytes) -> None:
    with daemon_answering(lambda: answer, tmp_path):
        status = LocalCamera(load_settings(config), config).config_status()
    assert (status.state, status.why) == ("away", UNREADABLE_ANSWER)


def test_empty_list_of_areas_is_not_written(config: Path) -> None:
    camera = LocalCamera(load_settings(config), config)
    camera.save(Drawing(zone=(), excluded=()))
    assert "excluded" not in config.read_text()  # which an earlier release would refuse
    camera.save(Drawing(zone=(), excluded=(POSTER,)))
    camera.save(Drawing(zone=(), excluded=()))
    assert load_settings(config).camera.excluded == ()
