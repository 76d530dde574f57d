"""Decode still pictures, from files and from memory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UserError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
#: How the contents of these files begin: JPEG, PNG, BMP, and TIFF in both byte orders. OpenCV can
#: decode more formats, which cameras do not use and whose decoders have had vulnerabilities:
#: JPEG 2000 in 4.11 (CVE-2025-53644).
PICTURE_STARTS = (b"\xff\xd8", b"\x89PNG", b"BM", b"II*\0", b"MM\0*")
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", 0xDA, b"\xff\xd9"


def read_image(path: Path) -> Pixels:
    """Return the picture at `path`, (height, width, 3) uint8 BGR, rotated as its EXIF data says.

    Raises UserError when the file is missing, is not a picture, or is too large to decode.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such picture: {path}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}") from None
    return decode_image(raw, str(path))


def decode_image(raw: bytes, name: str) -> Pixels:
    """Return the picture in `raw` as `read_image` does; error messages call it `name`.

    Raises UserError when `raw` is not a picture of a known format, or is too large to decode.
    """
    if raw and not raw.startswith(PICTURE_STARTS) and not _is_webp(raw):
        raise UserError(
            f"{name} is not a picture that can be read: it is none of JPEG, PNG, WebP, BMP or TIFF"
        )
    try:
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) if raw else None
    except cv2.error as error:
        if "PIXELS" in str(error) or "IMAGE_WIDTH" in str(error) or "IMAGE_HEIGHT" in str(error):
            raise UserError(f"{name} has too many pixels: make it smaller") from None
        image = None
    if image is None:
        raise UserError(f"{name} is not a picture that can be read; is it complete?")
    return np.asarray(image, dtype=np.uint8)


def is_cut_off(raw: bytes) -> bool:
    """Return whether `raw` is a JPEG, PNG or WebP whose end is missing.

    Decoders accept such a file and fill the rest of the picture with grey.
    """
    if raw.startswith(JPEG_START):
        scan = _first_scan(raw)
        return scan is None or raw.find(JPEG_END, scan) < 0
    if raw.startswith(b"\x89PNG"):
        return b"IEND" not in raw[-1024:]
    if _is_webp(raw):
        return len(raw) < 8 + int.from_bytes(raw[4:8], "little")
    return False


def _is_webp(raw: bytes) -> bool:
    return raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"


def _first_scan(raw: bytes) -> int | None:
    """Return where the pixels of a JPEG begin, after the thumbnail that its header may contain."""
    at = 2
    while at + 4 <= len(raw):
        if raw[at] != 0xFF:
            return None
        if raw[at + 1] == 0xFF:  # padding
            at += 1
            continue
        length = int.from_bytes(raw[at + 2 : at + 4], "big")
        if raw[at + 1] == JPEG_SCAN:
            return at + 2 + length
        at += 2 + length
    return None
