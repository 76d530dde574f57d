"""An ext4 inside an image file: files are written, read, and checked without mounting it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.disk_image.entries import File, Folder, Link
from sdcard.disk_image.ext4 import Ext4

from edge.common.errors import UserError
from tests.pi.disk import copy_disk
from tests.support.systemd.card_images import ROOT_AT, mode_and_owner, small_image


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("base"))


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Ext4:
    """The root file system of a copy of the image."""
    return Ext4(copy_disk(base, tmp_path / "disk.img"), ROOT_AT)


def test_files_are_written_through_links_and_replaced(root: Ext4) -> None:
    root.write([Link("/srv-link", "opt")])
    root.write([File("/srv-link/a b.txt", b"first")])
    root.write([File("/opt/a b.txt", b"second", mode=0o640, uid=1000), Folder("/opt/x", 0o711)])
    root.write([File(f"/opt/many/file-{n}", b"x") for n in range(300)])
    assert root.read("/opt/a b.txt") == b"second"
    assert root.read("/srv-link/a b.txt") == b"second"
    assert root.read("/opt/many/file-299") == b"x"
    assert root.read("/opt/absent") is None
    assert mode_and_owner(root, "/opt/a b.txt") == ("0640", "1000")
    assert mode_and_owner(root, "/opt/x") == ("0711", "0")
    root.check()


def test_full_file_system_is_reported(root: Ext4, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 4 * 40 * 1024)
    with pytest.raises(UserError, match="cannot write the files"):
        root.write([File("/opt/large", source=large)])


def test_folder_is_copied_out(root: Ext4, tmp_path: Path) -> None:
    assert root.copy_out("/etc/systemd", tmp_path)
    assert (tmp_path / "systemd/system/multi-user.target.wants/.keep").exists()
    assert not root.copy_out("/absent", tmp_path)


def test_relative_link_is_resolved(root: Ext4) -> None:
    assert root.resolve("/etc/os-release") == "/usr/lib/os-release"
    assert root.resolve("/etc/hostname") == "/etc/hostname"


def test_image_name_with_question_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rename it"):
        Ext4(tmp_path / "what?.img")
