"""Which files of a folder are its pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.camera.pictures.picture_list import list_pictures
from edge.common.errors import UserError


def test_pictures_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["1.JPG", "2.jpeg", "9.jfif", "10.png", "11.webp", "12.bmp", "13.tif", "14.HEIC"]
    for name in names[::-1]:
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == names


def test_files_of_systems_are_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "._a.jpg", ".hidden.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).touch()
    assert list_pictures(tmp_path) == [tmp_path / "a.jpg"]


def test_only_files_are_listed(tmp_path: Path) -> None:
    """Reading a FIFO would wait for ever. Reading a dangling link gives the reason."""
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    assert list_pictures(tmp_path) == [tmp_path / "link.jpg"]


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "._a.jpg").touch()
    with pytest.raises(UserError, match=r"no pictures in .*; expected \.avif, \.bmp"):
        list_pictures(tmp_path)
    (tmp_path / "2026-11-28").mkdir()
    (tmp_path / "2026-11-28" / "a.jpg").touch()
    with pytest.raises(UserError, match="its folder 2026-11-28 contains some: name that folder"):
        list_pictures(tmp_path)
    with pytest.raises(UserError, match=r"cannot read the folder .*none: No such file"):
        list_pictures(tmp_path / "none")
