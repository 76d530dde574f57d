"""The size and orientation in the header of each format and of its variants."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.camera.pictures.picture_header import PictureHeader, jpeg_scan, read_header
from tests.support.footage.pictures import flat
from tests.support.footage.turned_pictures import HEIC, encoded

VARIANTS = {
    "JPEG": {"format": "jpeg"},
    "progressive JPEG": {"format": "jpeg", "progressive": True},
    "PNG": {"format": "png"},
    "lossy WebP": {"format": "webp"},
    "lossless WebP": {"format": "webp", "lossless": True},
    "animated WebP": {
        "format": "webp",
        "save_all": True,
        "append_images": [Image.new("RGB", (300, 201), "red")],
    },
    "BMP": {"format": "bmp"},
    "TIFF": {"format": "tiff", "compression": "tiff_lzw"},
    "big-endian TIFF": {"format": "tiff", "big_endian": True},
    "AVIF": {"format": "avif"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_size_is_read(variant: str, mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (300, 201)).save(file, **VARIANTS[variant])
    header = read_header(file.getvalue())
    assert header is not None
    assert (header.width_px, header.height_px, header.orientation) == (300, 201, 1)


def test_size_of_heic_is_that_of_the_stored_blocks() -> None:
    assert read_header(HEIC) == PictureHeader("HEIC", 64, 64)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(9))
def test_orientation_is_read(name: str, orientation: int) -> None:
    header = read_header(encoded(name, orientation))
    assert header is not None
    assert header.orientation == max(1, orientation)


def test_size_of_unusual_bitmaps_is_read() -> None:
    head = b"BM" + bytes(12)
    os2 = head + struct.pack("<IHHHH", 12, 300, 200, 1, 24)
    upside_down = head + struct.pack("<IiiHH", 40, 300, -200, 1, 24)
    for raw in (os2, upside_down):
        assert read_header(raw) == PictureHeader("BMP", 300, 200)


def test_tiles_larger_than_a_tiff_count() -> None:
    tags = {256: 10, 257: 10, 322: 16_000_000, 323: 32}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    raw = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries
    assert read_header(raw) == PictureHeader("TIFF", 16_000_000, 32)


def test_size_is_not_that_of_the_thumbnail_or_of_bytes_between_segments() -> None:
    jpeg = cv2.imencode(".jpg", flat(90))[1].tobytes()
    small = cv2.imencode(".jpg", flat(90, 8, 8))[1].tobytes()
    thumbnail = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    raw = jpeg[:2] + thumbnail + b"\x00\x01garbage\xff\xff" + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
    assert read_header(raw) == PictureHeader("JPEG", 160, 120)
    scan = jpeg_scan(raw)
    assert scan is not None
    assert raw[scan:] == jpeg[jpeg_scan(jpeg) :]


@pytest.mark.parametrize(
    "raw", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"z" * 99, b"BM" + bytes(99)]
)
def test_picture_without_a_size_has_no_header(raw: bytes) -> None:
    assert read_header(raw) is None


WHOLE = [encoded(name, 6) for name in ("jpeg", "png", "webp", "tiff", "avif", "bmp")] + [HEIC]


@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=9))
def test_damaged_header_raises_nothing(whole: bytes, changes: list[tuple[int, int]]) -> None:
    raw = bytearray(whole)
    for place, value in changes:
        raw[place % min(len(raw), 400)] = value
    for length in (len(raw), len(raw) // 2, 20):
        header = read_header(bytes(raw[:length]))
        assert header is None or (header.width_px > 0 and 1 <= header.orientation <= 8)


@given(st.binary(max_size=300), st.sampled_from(sorted({whole[:12] for whole in WHOLE})))
def test_any_bytes_after_a_start_raise_nothing(rest: bytes, start: bytes) -> None:
    read_header(start + rest)
    jpeg_scan(start + rest)
