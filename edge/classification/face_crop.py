"""The face crop: how a face is cut out of a frame, on the device and in training alike."""

from __future__ import annotations

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels


def framed_square(box_px: Box, margin: float) -> Box:
    """Return the square region that the classifier gets for the box of a face.

    Its side is the longer side of `box_px`, extended at both ends by `margin`, a fraction of that
    side. The centre is that of `box_px`.
    """
    x, y, w, h = box_px
    side = max(w, h) * (1.0 + 2.0 * margin)
    return x + w / 2.0 - side / 2.0, y + h / 2.0 - side / 2.0, side, side


def crop_face(image: Pixels, box_px: Box, margin: float, size_px: tuple[int, int]) -> Pixels:
    """Cut the `framed_square` of `box_px` out of `image` and scale it to `size_px`.

    `image` is (height, width, channels) or (height, width), uint8; the result has height and width
    `size_px` and the same channels. Outside the image, the edge pixels of the image are repeated,
    so that a face at the border keeps its aspect ratio. Raises ValueError if the square lies
    entirely outside the image.
    """
    height, width = image.shape[:2]
    fx, fy, side, _ = framed_square(box_px, margin)
    x0, y0 = round(fx), round(fy)
    x1, y1 = max(x0 + 1, round(fx + side)), max(y0 + 1, round(fy + side))
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(0, x1 - width), max(0, y1 - height)
    # A negative end would count from the other side of the image.
    inside = image[max(0, y0) : max(0, min(height, y1)), max(0, x0) : max(0, min(width, x1))]
    if inside.size == 0:
        raise ValueError(f"box {box_px} lies outside the {width}x{height} image")
    if left or top or right or bottom:
        padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
        inside = np.asarray(padded, dtype=np.uint8)
    return resize_crop(inside, size_px)


def resize_crop(crop: Pixels, size_px: tuple[int, int]) -> Pixels:
    """Scale a face crop to `size_px` (height, width); input and output are uint8.

    Pixels are averaged when the crop shrinks, which avoids aliasing, and interpolated linearly
    when it grows.
    """
    height, width = size_px
    shrinks = crop.shape[0] >= height and crop.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=method), dtype=np.uint8)
