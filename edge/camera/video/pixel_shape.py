"""The shape of the pixels of a video: some are stored narrower than they are shown."""

from __future__ import annotations

from fractions import Fraction

#: Pixels whose sides differ more are a mistake of the file.
MAX_RATIO = 4
#: Pixels whose sides differ less count as square, so that nothing is scaled.
MIN_DIFFERENCE = 0.01


def square_size_px(
    width: int, height: int, shape: Fraction | None, max_pixels: int
) -> tuple[int, int]:
    """Return the width and height in square pixels of a picture of `width` by `height` pixels.

    `shape` is the width of a pixel divided by its height, None if it is unknown. One side of the
    picture becomes longer, none shorter; one that would get more than `max_pixels` is not changed.
    """
    if not shape or not 1 / MAX_RATIO <= shape <= MAX_RATIO or abs(shape - 1) < MIN_DIFFERENCE:
        return width, height
    square = (round(width * shape), height) if shape > 1 else (width, round(height / shape))
    return square if square[0] * square[1] <= max_pixels else (width, height)
