"""The parts of a frame that are new, as rectangles that hold whoever may be there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.common.arrays import Box
from edge.detection.motion_detector import Mask, touched

#: What moves with a face: its body. Shares of the face's width beside it and of its height
#: above; below, down to the floor.
BESIDE, ABOVE = 1.0, 0.75
#: A rectangle reaches beyond what moves by so many cells on each side (three quarters of the
#: smallest face that is searched for: the cascade needs all of it) …
MARGIN = 4
#: … by this share of its own width and height to the sides …
AROUND = 0.15
#: … and upwards by the larger of these shares of its height and of its width: where a coat is seen
#: to move, or a mask is taken off, the rest of the face may be above, in the grey of the wall or
#: unchanged.
UPWARDS, UPWARDS_OF_WIDTH = 0.3, 0.6


def regions(new: Mask) -> list[Box]:
    """Rectangles around the parts of `new` that hang together, none of them overlapping:
    x, y, width, height as fractions of the picture."""
    height, width = new.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(new.astype(np.uint8))
    found: list[tuple[float, float, float, float]] = []
    for x, y, w, h, _ in stats[1:count].tolist():
        aside = MARGIN + AROUND * max(w, h)
        left, right, bottom = x - aside, x + w + aside, y + h + MARGIN + AROUND * w
        top = y - MARGIN - max(UPWARDS * h, UPWARDS_OF_WIDTH * w)
        found.append((max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)))
    return [
        (left / width, top / height, (right - left) / width, (bottom - top) / height)
        for left, top, right, bottom in _joined(found)
    ]


def without(new: Mask, boxes: Iterable[Box]) -> Mask:
    """`new` without what lies in `boxes`: x, y, width, height as fractions of the picture."""
    rest = new.copy()
    for box in boxes:
        rest[touched(box, new.shape)] = False
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
