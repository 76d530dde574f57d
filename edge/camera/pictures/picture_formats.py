"""The formats of pictures, recognised by how a file begins.

This module imports no decoder, so that the dashboard's own process can use it.
"""

from __future__ import annotations

import re
from typing import Literal

PictureFormat = Literal["JPEG", "PNG", "WebP", "BMP", "TIFF", "HEIC", "AVIF"]
#: The formats of telephones that need an optional library; OpenCV decodes the others. It can decode
#: more formats, which cameras do not use and whose decoders have had vulnerabilities: JPEG 2000 in
#: 4.11 (CVE-2025-53644).
HEIF_FORMATS: tuple[PictureFormat, ...] = ("HEIC", "AVIF")
PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".png", ".bmp", ".dib", ".webp"),
        *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"),
    }
)

_STARTS: tuple[tuple[PictureFormat, bytes], ...] = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG"),
    ("WebP", rb"RIFF....WEBP"),
    ("BMP", rb"BM"),
    ("TIFF", rb"II\*\0|MM\0\*"),
)
#: The brands of ISO/IEC 23008-12 and of AVIF; a file may state the general mif1 before its own.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
#: Other files that people often take for pictures, and what messages call them.
_OTHERS = (
    ("a PDF", rb"%PDF"),
    ("a zip archive", rb"PK\x03\x04"),
    ("a GIF", rb"GIF8"),
    ("a JPEG 2000 file", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("a JPEG XL file", rb"\0\0\0\x0cJXL |\xff\x0a"),
    ("a Photoshop file", rb"8BPS"),
    ("a video", rb"....(ftyp|moov|mdat|wide)|RIFF....AVI |\x1a\x45\xdf\xa3"),
    ("a metadata file of macOS", rb"\0\x05\x16[\0\x07]"),
    ("a web page or an SVG drawing", rb"\s*<(!doctype|html|\?xml|svg)"),
)


def format_of(raw: bytes) -> PictureFormat | None:
    """Return the format of the picture that begins with `raw`, or None if it is another file."""
    if raw[4:8] == b"ftyp":
        return _heif_format(raw)
    return next((name for name, start in _STARTS if re.match(start, raw, re.DOTALL)), None)


def other_kind(raw: bytes) -> str:
    """Return what a file that is no picture is, such as `a PDF`; empty if it is not known."""
    flags = re.DOTALL | re.IGNORECASE
    return next((name for name, start in _OTHERS if re.match(start, raw, flags)), "")


def _heif_format(raw: bytes) -> PictureFormat | None:
    size = int.from_bytes(raw[:4], "big")
    compatible = raw[16 : min(size, 1024)]
    brands = {raw[8:12], *(compatible[at : at + 4] for at in range(0, len(compatible), 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _HEIC_BRANDS else None
