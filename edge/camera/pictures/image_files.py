"""Decode still pictures, from files and from memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import cv2
import numpy as np

from edge.camera.orientation import Orientation
from edge.camera.pictures.heif_images import INSTALL, heif_decoder
from edge.camera.pictures.picture_formats import HEIF_FORMATS, PictureFormat, format_of, other_kind
from edge.camera.pictures.picture_header import jpeg_scan, read_header
from edge.common.arrays import Pixels
from edge.common.errors import UserError

#: The largest picture that is decoded: telephones take up to 108 megapixels, and few take 200.
#: Decoding takes 6 bytes for each pixel, 9 for a progressive JPEG, and 12 for AVIF and for a TIFF
#: with 16 bits.
MAX_PIXELS = 128_000_000
#: The largest file that is read; a BMP or TIFF of `MAX_PIXELS` without compression is smaller.
MAX_FILE_BYTES = 512 * 1024 * 1024
#: How a picture with each EXIF orientation is turned.
EXIF_ORIENTATIONS = {
    1: Orientation(0),
    2: Orientation(0, mirror=True),
    3: Orientation(2),
    4: Orientation(2, mirror=True),
    5: Orientation(1, mirror=True),
    6: Orientation(1),
    7: Orientation(3, mirror=True),
    8: Orientation(3),
}
_JPEG_END = b"\xff\xd9"


def read_image(path: Path) -> Pixels:
    """Return the picture at `path`, (height, width, 3) uint8 BGR, rotated as its EXIF data says.

    Raises UserError when the file is missing, is not a picture, is cut off, or has more than
    `MAX_PIXELS` or `MAX_FILE_BYTES`.
    """
    try:
        raw = _read_limited(path)
    except FileNotFoundError:
        raise UserError(f"no such picture: {path}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise UserError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB: make it smaller")
    return decode_image(raw, str(path))


def _read_limited(path: Path) -> bytes:
    """Return at most one byte more than `MAX_FILE_BYTES` of the file; raises OSError."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        # `read(limit)` allocates memory for the limit, which only a file of unknown size needs.
        is_small = stat.S_ISREG(found.st_mode) and found.st_size <= MAX_FILE_BYTES
        return file.read() if is_small else file.read(MAX_FILE_BYTES + 1)


def decode_image(raw: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return the picture in `raw` as `read_image` does; error messages call it `name`.

    Raises UserError when `raw` is not a picture of a known format, is cut off, or has more than
    `max_pixels`.
    """
    _require_decodable(raw, name)
    header = read_header(raw)
    if header is None:
        raise UserError(f"{name} is not a picture that can be read; is it complete?")
    if header.width_px * header.height_px > max_pixels:
        raise UserError(
            f"{name} has {header.width_px} x {header.height_px} pixels, which is more than"
            f" {max_pixels // 1_000_000} megapixels: make it smaller"
        )
    if is_cut_off(raw):
        raise UserError(f"{name} is cut off: its end is missing")
    image = _decode(raw, header.format)
    if image is None or image.ndim != 3 or not image.size:
        raise UserError(
            f"{name} is not a picture that can be read: it is damaged, or a rare kind of"
            f" {header.format}"
        )
    return EXIF_ORIENTATIONS[header.orientation].apply(np.asarray(image, np.uint8))


def is_cut_off(raw: bytes) -> bool:
    """Return whether `raw` is a JPEG, PNG or WebP whose end is missing.

    Decoders accept such a file and fill the rest of the picture with grey.
    """
    match format_of(raw):
        case "JPEG":
            scan = jpeg_scan(raw)
            return scan is None or raw.find(_JPEG_END, scan) < 0
        case "PNG":
            return raw.rfind(b"IEND") < 0
        case "WebP":
            return len(raw) < 8 + int.from_bytes(raw[4:8], "little")
    return False


def _require_decodable(raw: bytes, name: str) -> None:
    """Raise UserError, which says what `raw` is, unless there is a decoder for it."""
    kind = format_of(raw)
    if kind is None:
        reason = f"it is {other_kind(raw)}, and" if other_kind(raw) else "it is"
        raise UserError(
            f"{name} is not a picture that can be read:"
            + (f" {reason} none of JPEG, PNG, WebP, BMP or TIFF" if raw else " it is empty")
        )
    if kind in HEIF_FORMATS and heif_decoder(kind) is None:
        raise UserError(
            f"{name} is in the format {kind}, which needs a library that is not installed:"
            f" {INSTALL}; or save it as JPEG"
        )


def _decode(raw: bytes, kind: PictureFormat) -> Pixels | None:
    """Return the picture as it is stored, or None if it is damaged."""
    try:
        if decode := heif_decoder(kind) if kind in HEIF_FORMATS else None:
            return decode(raw)
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        return cv2.imdecode(np.frombuffer(raw, np.uint8), flags)  # type: ignore[return-value]
    except (cv2.error, ValueError):
        return None
