"""How a face is cut out of a frame: the one rule, used on the Pi and in training."""

from __future__ import annotations

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels


def framed_square(box_px: Box, margin: float) -> Box:
    """Square region that the classifier looks at for a detector's box.

    The longer side of `box_px` is widened by `margin` (a fraction of that side)
    on each of its two ends; the centre stays.
    """
    x, y, w, h = box_px
    side = max(w, h) * (1.0 + 2.0 * margin)
    return x + w / 2.0 - side / 2.0, y + h / 2.0 - side / 2.0, side, side


def crop_face(image: Pixels, box_px: Box, margin: float, size_px: tuple[int, int]) -> Pixels:
    """Cut the framed square around `box_px` out of `image` and scale it to `size_px`.

    `image` is (height, width, channels) or (height, width), uint8; the result has
    height and width `size_px` and the same channels. What lies outside the image
    repeats its edge pixels, so that a face at the border keeps its proportions.
    Raises ValueError when the square does not touch the image at all.
    """
    height, width = image.shape[:2]
    fx, fy, side, _ = framed_square(box_px, margin)
    x0, y0 = round(fx), round(fy)
    x1, y1 = max(x0 + 1, round(fx + side)), max(y0 + 1, round(fy + side))
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(0, x1 - width), max(0, y1 - height)
    inside = image[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
    if inside.size == 0:
        raise ValueError(f"box {box_px} lies outside the {width}x{height} image")
    if left or top or right or bottom:
        padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
        inside = np.asarray(padded, dtype=np.uint8)
    return resize_crop(inside, size_px)


def resize_crop(crop: Pixels, size_px: tuple[int, int]) -> Pixels:
    """Scale an already framed crop to `size_px` (height, width), uint8 in and out.

    Averages when shrinking (no aliasing), interpolates linearly when enlarging.
    """
    height, width = size_px
    shrinks = crop.shape[0] >= height and crop.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=how), dtype=np.uint8)
