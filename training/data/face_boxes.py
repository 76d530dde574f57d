"""The daemon's detectors, run on training pictures: the box of the only face, found by the network,
and boxes without a face, with those of the cascade first.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Finder
from edge.detection.load_detector import load_detector
from training.data.detector_simulation import intersection_over_union

#: The search for false detections, such as walls and clothes, scales larger pictures down to this
#: side, because it does not need the full resolution.
SEARCH_SIDE_PX = 400
MAX_FACE_OVERLAP = 0.1


@functools.cache
def _cascade() -> Any:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))


@functools.cache
def _network() -> Finder:
    return load_detector(DetectorSettings(kind="learned"), sure=True).finder


def find_only_face(image: Pixels) -> Box | None:
    """Return the box of the face in `image`, (h, w, 3) RGB, or None if the daemon's network does
    not find exactly one face that it is sure of.
    """
    found = _network().find(np.ascontiguousarray(image[..., ::-1]))
    return found[0].box_px if len(found) == 1 else None


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
