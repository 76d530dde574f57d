"""The small grey image of a frame in which faces are searched."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Pixels

#: The luma plane of a camera is used if its width is at least this share of the configured width.
#: Cameras round the width that is requested, or choose another width.
MIN_LUMA_WIDTH_SHARE = 0.9


@dataclass(frozen=True)
class Luma:
    """A grey image that is searched for faces.

    `pixels` is (height, width) uint8; `scale` is its width divided by that of the frame.
    """

    pixels: Pixels
    scale: float


def luma_of(frame: Frame, max_px: int) -> Luma:
    """Return the grey image of `frame`, at most `max_px` wide.

    It is made from the luma plane of the camera if there is one and it is wide enough.
    """
    luma = frame.luma
    # The camera may have been opened for a smaller width than a reload has configured.
    if luma is None or luma.shape[1] < MIN_LUMA_WIDTH_SHARE * min(max_px, frame.image_bgr.shape[1]):
        return to_luma(frame.image_bgr, max_px)
    if luma.shape[1] > max_px:
        size = (max_px, max(1, round(luma.shape[0] * max_px / luma.shape[1])))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Luma(luma, luma.shape[1] / frame.image_bgr.shape[1])


def to_luma(image_bgr: Pixels, width_px: int) -> Luma:
    """Return a (height, width, 3) uint8 image in grey, at most `width_px` wide."""
    height, width = image_bgr.shape[:2]
    scale = min(1.0, width_px / width)
    size = (round(width * scale), max(1, round(height * scale)))
    small: cv2.typing.MatLike = image_bgr
    if scale < 0.5:
        # Scale to twice the target width first, without averaging. To average a large image by a
        # factor that is not an integer would take longer than all other steps together.
        small = cv2.resize(small, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if scale < 1.0:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return Luma(np.asarray(grey, np.uint8), scale)
