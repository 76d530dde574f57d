"""The parts of a frame in which something moves, as rectangles that hold whoever moves there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.framing import Box
from edge.gate import Mask, cells

#: What moves with a face: its body. Shares of the face's width beside it and of its height
#: above; below, down to the floor.
BESIDE, ABOVE = 1.0, 0.75
#: A rectangle reaches beyond what moves by so many cells on each side (three quarters of the
#: smallest face that is searched for: the cascade needs all of it) …
MARGIN = 4
#: … and by this share of its own width to the sides and of its height upwards: where a coat is
#: seen to move, a face in the grey of the wall behind it may be above.
AROUND, UPWARDS = 0.15, 0.3


def regions(moving: Mask) -> list[Box]:
    """Rectangles around the parts of `moving` that hang together, none of them overlapping:
    x, y, width, height as fractions of the picture."""
    height, width = moving.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(moving.astype(np.uint8))
    found: list[tuple[float, float, float, float]] = []
    for x, y, w, h, _ in stats[1:count].tolist():
        left, right = x - MARGIN - AROUND * w, x + w + MARGIN + AROUND * w
        top, bottom = y - MARGIN - UPWARDS * h, y + h + MARGIN
        found.append((max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)))
    return [
        (left / width, top / height, (right - left) / width, (bottom - top) / height)
        for left, top, right, bottom in _joined(found)
    ]


def without(moving: Mask, boxes: Iterable[Box]) -> Mask:
    """`moving` without what lies in `boxes`: x, y, width, height as fractions of the picture."""
    rest = moving.copy()
    for box in boxes:
        rest[cells(box, moving.shape)] = False
    return rest


def bodies(faces: Sequence[Box], size_px: tuple[int, int]) -> list[Box]:
    """Where the people of `faces` (pixels) move, as fractions of a frame of `size_px`
    (height, width)."""
    height, width = size_px
    found = []
    for x, y, w, h in faces:
        left, top = (x - BESIDE * w) / width, (y - ABOVE * h) / height
        found.append((left, top, (1.0 + 2.0 * BESIDE) * w / width, 1.0 - top))
    return found


def _joined(corners: list[tuple[float, float, float, float]]) -> list[tuple[float, ...]]:
    """Left, top, right, bottom of rectangles that hold `corners` and do not overlap."""
    apart: list[tuple[float, ...]] = []
    for each in corners:
        one: tuple[float, ...] = each
        while hit := next((other for other in apart if _overlap(one, other)), None):
            apart.remove(hit)
            one = (*map(min, one[:2], hit[:2]), *map(max, one[2:], hit[2:]))
        apart.append(one)
    return apart


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
