"""Decode HEIC and AVIF, the formats of telephones, with the libraries of the extra `heic`."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from edge.camera.pictures.picture_formats import HEIF_FORMATS, PictureFormat
from edge.common.arrays import Pixels

INSTALL = "pip install '.[heic]' in a clone of the repository"
Decoder = Callable[[bytes], Pixels]


def heif_decoder(name: PictureFormat) -> Decoder | None:
    """Return the function that decodes HEIC or AVIF, None if its library is not installed.

    The function returns the upright picture, (height, width, 3) uint8 BGR, and raises ValueError
    if it cannot. It does not limit the size of the picture.
    """
    return _heic_decoder() if name == "HEIC" else _avif_decoder()


def load_libraries() -> None:
    """Import the libraries that are installed, for a process that cannot open files later."""
    for name in HEIF_FORMATS:
        heif_decoder(name)


def _heic_decoder() -> Decoder | None:
    try:
        import pi_heif
    except ImportError:
        return None

    def decode(raw: bytes) -> Pixels:
        try:  # the library turns the picture as the file says
            file = pi_heif.open_heif(io.BytesIO(raw), bgr_mode=True)
            # The array is a view of the library's memory, with padding at the end of each row, and
            # is valid while `file` exists.
            padded = np.asarray(file, np.uint8)
            width, height = file.size
            picture = padded[:height, :width].copy()
        except (EOFError, OSError, RuntimeError, SyntaxError) as error:
            raise ValueError(str(error)) from None
        if picture.ndim == 2:
            return np.repeat(picture[:, :, None], 3, axis=2)
        return np.ascontiguousarray(picture[:, :, :3])  # without the transparency

    return decode


def _avif_decoder() -> Decoder | None:
    try:
        from PIL import AvifImagePlugin, ImageOps
    except ImportError:  # no Pillow, or one before 11.3
        return None
    if not AvifImagePlugin.SUPPORTED:
        return None

    def decode(raw: bytes) -> Pixels:
        try:
            picture = AvifImagePlugin.AvifImageFile(io.BytesIO(raw))
            ImageOps.exif_transpose(picture, in_place=True)
            rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
            return np.ascontiguousarray(np.asarray(rgb, np.uint8)[:, :, ::-1])
        except (EOFError, OSError, RuntimeError, SyntaxError) as error:
            raise ValueError(str(error)) from None

    return decode
