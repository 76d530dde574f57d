"""The FAT boot partition inside an image file."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import read_layout

from edge.common.errors import UserError
from tests.support.systemd.card_images import small_image


@pytest.fixture
def boot(tmp_path: Path) -> Fat:
    image = small_image(tmp_path)
    return Fat(image, read_layout(image).boot)


def test_file_is_written_and_read(boot: Fat) -> None:
    assert boot.read("new.txt") is None
    boot.write("new.txt", b"first")
    boot.write("new.txt", b"second")
    assert boot.read("new.txt") == b"second"
    assert "new.txt" in boot.names()
    assert boot.is_sound()


def test_boot_partition_has_boot_files(boot: Fat) -> None:
    boot.require_boot_files()
    assert {"cmdline.txt", "config.txt"} <= set(boot.names())


def test_overwritten_file_system_is_not_sound(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    layout = read_layout(image)
    with image.open("r+b") as file:
        file.seek(layout.boot.start_bytes)
        file.write(b"\xff" * 4096)
    boot = Fat(image, layout.boot)
    assert not boot.is_sound()
    with pytest.raises(UserError, match=r"fsck\.vfat failed"):
        boot.check()
