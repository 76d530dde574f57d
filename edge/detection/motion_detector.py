"""What in a scene has changed since faces were last searched for there: elsewhere another search
would find no more.

A reference picture follows the light wherever nothing has changed, and takes on what has as soon
as that is searched. So a person who comes, turns or goes is news until the search has seen it,
and a chair that was moved, or the place that somebody left, only once. Who stands still and is
missed is part of the reference; a head that turns is news again, and the whole picture is
searched now and then all the same (`edge.detection.face_search`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Box, Pixels

#: A pixel has changed when it differs by so many grey levels of 255. Single pixels of a
#: glance have a noise of one to three levels in a dim room.
LEVELS = 10.0
#: Side of the square in which changes are counted, and the share of it that must have
#: changed: an edge of the smallest face, more than noise.
PATCH_PX, PATCH_SHARE = 5, 0.24
#: How fast the reference follows the light of a day, as a time constant in seconds.
LIGHT_S = 4.0
#: Beyond this the exposure has changed, and not only the scene's light: no factor is trusted.
MAX_GAIN = 4.0
#: Every so many pixels are enough for a median; the step shares no factor with the width, so
#: that it takes from every column.
MEDIAN_STEP = 3
#: All of a picture, as fractions of it.
WHOLE: tuple[Box, ...] = ((0.0, 0.0, 1.0, 1.0),)

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class MotionDetector:
    """Compares each frame with what it looked like when it was searched; to be shown every
    frame."""

    def __init__(self) -> None:
        """Nothing searched yet: everything is news."""
        self._reference: Plane | None = None
        self._now: Plane = np.zeros((0, 0), np.float32)
        self._different: Mask = np.zeros((0, 0), bool)
        self._new: Mask = np.zeros((0, 0), bool)
        self._at_s = 0.0

    def look(self, seen: Pixels, at_s: float) -> Mask:
        """Where anything has changed since it was searched, even if it looks as it did then: who
        turned away may be back. All of it while nothing was searched.

        `seen` is a glance, (height, width) uint8, always of the same size; `at_s` seconds on a
        clock that does not run backwards.
        """
        self._now = now = seen.astype(np.float32)
        reference = self._reference
        if reference is None or reference.shape != now.shape:
            self._reference, self._at_s = None, at_s
            self._new = np.ones(now.shape, bool)
            return self._new.copy()
        reference = reference * _gain(reference, now)
        off = now - reference
        self._different = np.abs(off) > LEVELS
        passed_s = max(0.0, at_s - self._at_s)
        off[self._different] = 0.0
        reference += np.float32(1.0 - math.exp(-passed_s / LIGHT_S)) * off
        self._reference, self._at_s = reference, at_s
        dense = cv2.blur(self._different.astype(np.float32), (PATCH_PX, PATCH_PX))
        self._new |= dense >= PATCH_SHARE
        return self._new.copy()

    def searched(self, parts: Sequence[Box]) -> None:
        """`parts` of the last frame (x, y, width, height as fractions of it) are searched."""
        if not parts:
            return
        if self._reference is None:
            self._reference = self._now
            self._different = np.zeros(self._now.shape, bool)
        for rows, columns in (touched(part, self._now.shape) for part in parts):
            self._new[rows, columns] = False
            # What has not changed keeps its mean of many frames, which has less noise.
            np.copyto(
                self._reference[rows, columns],
                self._now[rows, columns],
                where=self._different[rows, columns],
            )


def touched(part: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a glance of `shape` (height, width) that `part`, in fractions of
    it, touches."""
    (height, width), (x, y, w, h) = shape, part
    return (
        slice(max(0, int(y * height)), max(0, math.ceil((y + h) * height))),
        slice(max(0, int(x * width)), max(0, math.ceil((x + w) * width))),
    )


def _gain(reference: Plane, now: Plane) -> np.float32:
    """By how much the light of the whole scene has changed: most of it has not, so the median
    of the ratios is its."""
    ratios = (now.ravel()[::MEDIAN_STEP] + 1.0) / (reference.ravel()[::MEDIAN_STEP] + 1.0)
    middle = len(ratios) // 2
    ratio = np.partition(ratios, middle)[middle]
    return np.float32(ratio if 1.0 / MAX_GAIN <= ratio <= MAX_GAIN else 1.0)
