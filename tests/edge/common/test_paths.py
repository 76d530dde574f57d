from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.common.paths import (
    demo_clip,
    event_schema,
    kind_of,
    runtime_directory,
    shipped_model,
    state_directory,
    user_path,
)


def test_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/door")
    assert user_path("~/clip.mp4") == Path("/home/door/clip.mp4")


@pytest.mark.parametrize("text", ["~no-such-user/x", "a\0b", "b\udcff.mp4"])
def test_unusable_path_is_rejected(text: str) -> None:
    with pytest.raises(UserError, match="cannot be used as a path"):
        user_path(text)


def test_kind_of_path(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert kind_of(tmp_path / "clip.mp4") == "file"
    assert kind_of(tmp_path) == "folder"
    assert kind_of(Path("/dev/null")) == "camera"
    assert kind_of(tmp_path / "none") == "missing"


def test_path_that_cannot_be_examined_is_rejected(tmp_path: Path) -> None:
    link = tmp_path / "loop"
    link.symlink_to(link)
    with pytest.raises(UserError, match=r"cannot open .*loop: Too many levels"):
        kind_of(link)


@pytest.mark.parametrize("path", [demo_clip(), shipped_model(), event_schema()])
def test_shipped_files_exist(path: Path) -> None:
    assert path.is_file()


def test_directories_of_systemd_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/mask-patrol:/run/other")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/mask-patrol:/var/lib/other")
    assert runtime_directory() == Path("/run/mask-patrol")
    assert state_directory() == Path("/var/lib/mask-patrol")


def test_directories_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/door")
    assert runtime_directory() is None
    assert state_directory() == Path("/home/door/.local/state/mask-patrol")
    monkeypatch.setenv("XDG_STATE_HOME", f"{os.sep}state")
    assert state_directory() == Path("/state/mask-patrol")
