"""Reading still pictures from disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import UserError
from edge.framing import Pixels

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_picture(path: Path) -> Pixels:
    """The picture at `path`, (height, width, 3) uint8 BGR, turned upright by its EXIF.

    Raises UserError when it is missing, no picture, or too large to decode.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise UserError(f"no such picture: {path}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}") from None
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{path} is not a picture that can be read; is it complete?")
    return np.asarray(image, dtype=np.uint8)
