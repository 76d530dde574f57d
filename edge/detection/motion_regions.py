"""The changed parts of a frame, as rectangles large enough to contain faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.common.arrays import Box
from edge.detection.motion_detector import MotionMask, pixel_slices

#: How far a body extends around its face: share of the face width on each side, and of the face
#: height above. Downwards the body reaches to the lower edge of the frame.
BODY_BESIDE, BODY_ABOVE = 1.0, 0.75
#: Margin on each side of the motion, in pixels of the thumbnail: three quarters of the smallest
#: face that is searched for, because the cascade needs the whole face.
MARGIN_PX = 4
#: Share of the motion's larger side that is added to the left and right margins, and share of its
#: width that is added to the lower margin.
SIDE_SHARE = 0.15
#: The larger of these shares of the motion's height and width is added to the upper margin. If only
#: a coat moves, or only a mask that is taken off, the face may be above the motion, unchanged or as
#: grey as the wall behind it.
UP_SHARE_OF_HEIGHT, UP_SHARE_OF_WIDTH = 0.3, 0.6


def motion_regions(changed: MotionMask) -> list[Box]:
    """Return rectangles that do not overlap, around the connected parts of `changed`.

    Each rectangle is x, y, width, height as fractions of the frame.
    """
    height, width = changed.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    corners: list[tuple[float, float, float, float]] = []
    for x, y, w, h, _ in stats[1:count].tolist():
        beside = MARGIN_PX + SIDE_SHARE * max(w, h)
        left, right, bottom = x - beside, x + w + beside, y + h + MARGIN_PX + SIDE_SHARE * w
        top = y - MARGIN_PX - max(UP_SHARE_OF_HEIGHT * h, UP_SHARE_OF_WIDTH * w)
        corners.append((max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)))
    return [
        (left / width, top / height, (right - left) / width, (bottom - top) / height)
        for left, top, right, bottom in _merge_overlapping(corners)
    ]


def exclude(changed: MotionMask, regions: Iterable[Box]) -> MotionMask:
    """Return `changed` without the pixels in `regions`, given as fractions of the frame."""
    rest = changed.copy()
    for region in regions:
        rest[pixel_slices(region, changed.shape)] = False
    return rest


def body_regions(faces: Sequence[Box], size_px: tuple[int, int]) -> list[Box]:
    """Return the regions that the bodies of the people with `faces` (in pixels) may cover.

    Each region is x, y, width, height as fractions of a frame of `size_px` (height, width).
    """
    height, width = size_px
    regions = []
    for x, y, w, h in faces:
        left, top = (x - BODY_BESIDE * w) / width, (y - BODY_ABOVE * h) / height
        regions.append((left, top, (1.0 + 2.0 * BODY_BESIDE) * w / width, 1.0 - top))
    return regions


def _merge_overlapping(
    corners: list[tuple[float, float, float, float]],
) -> list[tuple[float, ...]]:
    """Replace overlapping rectangles by their bounding box until none overlap.

    Rectangles are left, top, right, bottom.
    """
    merged: list[tuple[float, ...]] = []
    for rectangle in corners:
        box: tuple[float, ...] = rectangle
        while hit := next((other for other in merged if _overlap(box, other)), None):
            merged.remove(hit)
            box = (*map(min, box[:2], hit[:2]), *map(max, box[2:], hit[2:]))
        merged.append(box)
    return merged


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
