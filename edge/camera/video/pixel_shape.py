"""The shape of the pixels of a video: some are stored narrower than they are shown."""

from __future__ import annotations

from fractions import Fraction

#: Pixels whose sides differ more are a mistake of the file.
MAX_RATIO = 4
#: Pixels whose sides differ less count as square, so that nothing is scaled.
MIN_DIFFERENCE = 0.01


def square_size_px(width: int, height: int, shape: Fraction | None) -> tuple[int, int]:
    """Return the width and height in square pixels of a picture of `width` by `height` pixels.

    `shape` is the width of a pixel divided by its height, None if it is unknown. One side of the
    picture becomes longer, none shorter.
    """
    if not shape or not 1 / MAX_RATIO <= shape <= MAX_RATIO or abs(shape - 1) < MIN_DIFFERENCE:
        return width, height
    if shape > 1:
        return round(width * shape), height
    return width, round(height / shape)
