"""The partition table of an image, read and changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.partition_table import insert_before_root, read_layout, set_root_size

from edge.common.errors import UserError
from tests.pi.disk import MEBI, copy_disk
from tests.support.systemd.card_images import ROOT_AT, small_image


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("base"))


def test_layout_of_a_stock_image(base: Path) -> None:
    layout = read_layout(base)
    assert (layout.boot.number, layout.root.number) == (1, 2)
    assert layout.root.start_bytes == ROOT_AT
    assert layout.root.end_bytes == base.stat().st_size
    assert layout.disk_id == "6d61736b"
    assert layout.data is None


def test_inserted_partition_lies_before_the_root(base: Path, tmp_path: Path) -> None:
    image = copy_disk(base, tmp_path / "disk.img")
    before = read_layout(image)
    after = insert_before_root(image, before, 8 * MEBI)
    assert after.data is not None
    assert (after.data.number, after.data.start_bytes) == (3, before.root.start_bytes)
    assert after.root.start_bytes == after.data.end_bytes
    assert Ext4(image, after.root.start_bytes).read("/etc/hostname") == b"raspberrypi\n"


def test_root_size_is_written_to_the_table(base: Path, tmp_path: Path) -> None:
    image = copy_disk(base, tmp_path / "disk.img")
    with image.open("r+b") as file:
        file.truncate(image.stat().st_size + 4 * MEBI)
    layout = read_layout(image)
    grown = set_root_size(image, layout, layout.root.size_bytes + 4 * MEBI)
    assert grown.root.size_bytes == layout.root.size_bytes + 4 * MEBI


def test_gpt_and_missing_table_are_refused(base: Path, tmp_path: Path) -> None:
    image = copy_disk(base, tmp_path / "disk.img")
    with image.open("r+b") as file:
        file.seek(446 + 4)
        file.write(b"\xee")
    with pytest.raises(UserError, match="its partition table is a GPT"):
        read_layout(image)
    with image.open("r+b") as file:
        file.write(bytes(512))
    with pytest.raises(UserError, match="it has no partition table"):
        read_layout(image)


def test_second_partition_without_ext4_is_refused(base: Path, tmp_path: Path) -> None:
    image = copy_disk(base, tmp_path / "disk.img")
    with image.open("r+b") as file:
        file.seek(ROOT_AT)
        file.write(bytes(4096))
    with pytest.raises(UserError, match="its second partition is not an ext4"):
        read_layout(image)
