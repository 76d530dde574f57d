"""The real detector, run on training pictures: the box of the only face, and boxes
without a face.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels
from training.data.detector_simulation import intersection_over_union

#: The search for false detections, such as walls and clothes, scales larger pictures down to this
#: side, because it does not need the full resolution.
SEARCH_SIDE_PX = 400
MAX_FACE_OVERLAP = 0.1
#: In a portrait the face is large and near the middle; other detections are eyes or knees.
MIN_FACE_SHARE, MAX_OFF_CENTRE = 0.45, 0.22


@functools.cache
def _cascade() -> Any:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))


def find_only_face(image: Pixels) -> Box | None:
    """Return the detector's box if it finds exactly one large, central face in `image`, (h, w, 3)
    RGB.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    smallest = max(24, int(MIN_FACE_SHARE * min(grey.shape)))
    found = _cascade().detectMultiScale(grey, 1.1, 4, minSize=(smallest, smallest))
    if len(found) != 1:
        return None
    x, y, w, h = (float(value) for value in found[0])
    off_x, off_y = (x + w / 2) / grey.shape[1] - 0.5, (y + h / 2) / grey.shape[0] - 0.5
    return (x, y, w, h) if max(abs(off_x), abs(off_y)) < MAX_OFF_CENTRE else None


def find_empty_boxes(
    image: Pixels, faces_px: list[Box], rng: np.random.Generator, at_most: int
) -> list[Box]:
    """Return up to `at_most` boxes in `image` that overlap with none of `faces_px`.

    The detector's false detections at its loosest setting come first, then squares of a face's size
    at random places.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SEARCH_SIDE_PX / max(height, width))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = _cascade().detectMultiScale(small, 1.15, 1, minSize=(20, 20))
    boxes: list[Box] = [(x / scale, y / scale, w / scale, h / scale) for x, y, w, h in found]
    for _ in range(at_most):
        side = float(rng.uniform(0.08, 0.4) * min(height, width))
        if side >= 20:
            x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
            boxes.append((float(x), float(y), side, side))
    empty = [
        b
        for b in boxes
        if all(intersection_over_union(b, face) < MAX_FACE_OVERLAP for face in faces_px)
    ]
    return empty[:at_most]
