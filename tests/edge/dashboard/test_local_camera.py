"""Saving to the daemon's configuration: what is told, and what becomes of the file."""

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
from edge.dashboard.local_camera import UNREADABLE_ANSWER, ConfigStatus, LocalCamera

ZONE = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'[camera]\npreview = true\npreview_socket = "{tmp_path}/eye"\n')
    path.chmod(0o640)
    return path


@contextlib.contextmanager
def daemon_that(answers: Callable[[], bytes], folder: Path) -> Iterator[None]:
    """Answers one visitor of the socket in `folder`."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "eye"))
        listener.listen()

        def serve() -> None:
            visitor, _ = listener.accept()
            with visitor:
                visitor.recv(64)
                visitor.sendall(answers())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(20)


def test_what_is_saved_while_the_daemon_is_away_counts_as_saved(config: Path) -> None:
    drawn, use = LocalCamera(load_settings(config), config).save(ZONE, 0.2)
    assert (drawn["zone"], drawn["min_face"]) == ([list(corner) for corner in ZONE], 0.2)
    assert use.state == "away"
    assert "the daemon does not answer" in use.why
    assert [list(corner) for corner in load_settings(config).camera.zone] == [
        list(corner) for corner in ZONE
    ]


def test_what_becomes_of_the_file_once_it_is_saved_changes_no_answer(
    config: Path, tmp_path: Path
) -> None:
    """Somebody breaks it, and the daemon has read something else, before it is asked."""
    camera = LocalCamera(load_settings(config), config)

    def answer() -> bytes:
        config.write_text("zone = [")
        return b'{"reloading": false, "refused": "", "zone": [[0.5, 0.5]], "min_face": 0.3}'

    with daemon_that(answer, tmp_path):
        drawn, use = camera.save(ZONE, 0.2)
    assert drawn["min_face"] == 0.2
    assert use == ConfigStatus("other", "", ((0.5, 0.5),), 0.3)


def test_a_link_stays_a_link_and_the_rights_are_kept(config: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(config, 1000, 1000)
    before = config.stat()
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    LocalCamera(load_settings(link), link).save(ZONE, None)
    assert link.is_symlink()
    after = config.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert "zone" in config.read_text()


def test_what_others_plant_beside_the_file_is_not_written_to(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / ".door.toml.new").symlink_to(victim)
    modes = []

    def look(file: int, mode: int) -> None:  # what is written so far is nobody else's to read
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        os.chmod(file, mode)

    monkeypatch.setattr(os, "fchmod", look)
    LocalCamera(load_settings(config), config).save(ZONE, None)
    assert victim.read_text() == "theirs"
    assert not config.is_symlink()
    assert "zone" in config.read_text()
    assert modes == [0o600]
    assert {path.name for path in tmp_path.iterdir()} == {"door.toml", ".door.toml.new", "victim"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another group")
def test_a_group_that_would_be_lost_is_not(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(config, -1, 1000)
    before = config.read_text()

    def refuse(*_: object) -> None:  # as the system does in a service with PrivateUsers=
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fchown", refuse)
    camera = LocalCamera(load_settings(config), config)
    with pytest.raises(UserError, match=r"its group cannot be kept.*; write it there yourself"):
        camera.save(ZONE, None)
    assert config.read_text() == before
    config.chmod(0o644)  # whoever reads it does not by its group
    camera.save(ZONE, None)
    assert "zone" in config.read_text()


def test_a_daemon_that_many_wait_for_is_asked_again(
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
            visitor, _ = listener.accept()
            with visitor:
                visitor.recv(64)
                visitor.sendall(b'{"reloading": true, "refused": "", "zone": [], "min_face": 0.1}')

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert LocalCamera(load_settings(config), config).config_status().state == "waiting"
        thread.join(20)


@pytest.mark.parametrize("answer", [b"", b"{}", b"\xff", b"[1]", b'{"reloading": 1}'])
def test_an_answer_that_is_none_is_told(config: Path, tmp_path: Path, answer: bytes) -> None:
    with daemon_that(lambda: answer, tmp_path):
        use = LocalCamera(load_settings(config), config).config_status()
    assert (use.state, use.why) == ("away", UNREADABLE_ANSWER)
