"""Unpacking a downloaded image in each supported format of compression."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import pytest
from sdcard.disk_image.unpack import unpack

from edge.common.errors import UserError

CONTENT = b"image" * 10_000 + bytes(100_000)


def packed(folder: Path, kind: str) -> Path:
    path = folder / f"image.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("raspios.img", CONTENT)
            archive.writestr("readme.txt", "hello")
    else:
        compress = {"xz": lzma.compress, "gz": gzip.compress, "img": bytes}[kind]
        path.write_bytes(compress(CONTENT))
    return path


@pytest.mark.parametrize("kind", ["img", "xz", "gz", "zip"])
def test_image_is_unpacked(tmp_path: Path, kind: str) -> None:
    unpack(packed(tmp_path, kind), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["xz", "gz"])
def test_truncated_image_is_refused(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged or incomplete"):
        unpack(path, tmp_path / "out")


def test_zip_with_two_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.img", "a")
        archive.writestr("b.img", "b")
    with pytest.raises(UserError, match="contains 2 images"):
        unpack(path, tmp_path / "out")
