"""How a file begins decides what it is, whatever its name is."""

from __future__ import annotations

import cv2
import pytest

from edge.camera.pictures.picture_formats import format_of, other_kind
from tests.support.footage.pictures import flat


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [(".jpg", "JPEG"), (".png", "PNG"), (".webp", "WebP"), (".bmp", "BMP"), (".tif", "TIFF")],
)
def test_format_is_recognised(suffix: str, expected: str) -> None:
    assert format_of(cv2.imencode(suffix, flat(90))[1].tobytes()) == expected


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1heix", "HEIC"),
        (b"avif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"isom\0\0\x02\0isomiso2avc1mp41", None),
        (b"qt  \0\0\0\0qt  ", None),
    ],
)
def test_formats_of_telephones_are_told_from_videos(brands: bytes, expected: str | None) -> None:
    raw = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(8) + b"avif"
    assert format_of(raw) == expected
    assert (other_kind(raw) == "a video") or expected is not None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"%PDF-1.7", "a PDF"),
        (b"GIF89a", "a GIF"),
        (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", "a metadata file of macOS"),
        (b"\n<!DOCTYPE html>", "a web page or an SVG drawing"),
        (b"<svg xmlns=", "a web page or an SVG drawing"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"some text", ""),
        (b"", ""),
    ],
)
def test_other_files_are_named(raw: bytes, expected: str) -> None:
    assert format_of(raw) is None
    assert other_kind(raw) == expected
