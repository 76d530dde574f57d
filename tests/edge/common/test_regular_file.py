from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.common.regular_file import read_regular_file


def test_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular_file(tmp_path / "file", 4)
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "none", 5)


@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "linked folder"])
def test_nothing_else_is_read(tmp_path: Path, kind: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "folder" / "file"
    victim.mkdir()
    (victim / "file").write_bytes(b"secret")
    if kind == "linked folder":
        path.parent.symlink_to(victim)
    else:
        path.parent.mkdir()
    if kind == "link":
        path.symlink_to(victim / "file")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"symbolic links|not a regular file|Not a directory"):
        read_regular_file(path, 100)
