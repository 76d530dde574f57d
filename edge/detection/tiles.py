"""Parts of a picture that is larger than the input of a network, at several scales.

The whole picture is searched at the scale at which it fits the input. If it has more pixels than
the input, it is also searched at twice this scale, four times, and so on up to its full size, in
overlapping parts as large as the input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Overlap of neighbouring parts, as a share of the side of the input: a face up to this size is
#: whole in at least one part.
OVERLAP = 0.3
#: A finer scale is not searched if it would enlarge the picture by less than this factor.
MIN_GAIN = 1.3


@dataclass(frozen=True)
class Tile:
    """A part of the picture scaled by `scale`: its upper left corner and its size in pixels.

    `max_face_px` limits the size of the faces that are taken from this part: larger ones are found
    at a coarser scale, and may be cut off here.
    """

    scale: float
    left: int
    top: int
    width: int
    height: int
    max_face_px: float


def tiles(width: int, height: int, input_width: int, input_height: int) -> Iterator[Tile]:
    """Yield the parts in which a picture of `width` and `height` is searched, coarsest first."""
    fit = min(1.0, input_width / width, input_height / height)
    yield Tile(fit, 0, 0, *_scaled(width, height, fit), math.inf)
    scale = fit
    while 1.0 / scale >= MIN_GAIN:
        scale = min(1.0, 2.0 * scale)
        columns, rows = _scaled(width, height, scale)
        largest = OVERLAP * min(input_width, input_height)
        for top in _starts(rows, input_height):
            for left in _starts(columns, input_width):
                size = min(columns, input_width), min(rows, input_height)
                yield Tile(scale, left, top, *size, largest)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _starts(length: int, part: int) -> list[int]:
    """Return where parts of the length `part` begin, so that they cover `length` and overlap."""
    if length <= part:
        return [0]
    step = (1.0 - OVERLAP) * part
    count = 1 + math.ceil((length - part) / step)
    return [round(index * (length - part) / (count - 1)) for index in range(count)]
