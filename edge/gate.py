"""What in a scene differs from what it usually shows: where nothing does, no face is searched for.

A background picture follows the light, slowly where something differs from it and fast
where nothing does. A person who stands still becomes part of it in the end; that loses
nobody, as faces that are known are followed whatever the gate says, a head that turns moves,
and a full search is made now and then all the same (`edge.search`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.framing import Box, Pixels

#: A pixel has changed when it differs by so many grey levels of 255. Single pixels of a
#: glance have a noise of one to three levels in a dim room.
LEVELS = 10.0
#: Side of the square in which changes are counted, and the share of it that must have
#: changed: less than the smallest face with its shoulders, more than noise.
PATCH_PX, PATCH_SHARE = 5, 0.4
#: How fast the background takes on what it sees, as time constants in seconds: where nothing
#: differs (the light of a day), and where something does (a chair that was moved).
STILL_S, CHANGED_S = 4.0, 20.0
#: Beyond this the exposure has changed, and not only the scene's light: no factor is trusted.
MOST_GAIN = 4.0

#: Every so many pixels are enough for a median; the step shares no factor with the width, so
#: that it takes from every column.
MEDIAN_STEP = 3
#: All of a picture, as fractions of it.
WHOLE: tuple[Box, ...] = ((0.0, 0.0, 1.0, 1.0),)
#: What has changed since a place was searched: a head that turns is less than one that comes.
NEW_LEVELS, NEW_PATCH_PX, NEW_SHARE = 8.0, 3, 0.3

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class MotionGate:
    """Compares each frame with the background; to be shown every frame."""

    def __init__(self) -> None:
        """Nothing known of the scene."""
        self._background: Plane | None = None
        self._at_s = 0.0

    def look(self, seen: Pixels, at_s: float) -> Mask | None:
        """Where `seen` differs from the background, of the same shape; None while there is none
        to compare it with.

        `seen` is a glance, (height, width) uint8, always of the same size; `at_s` seconds on a
        clock that does not run backwards.
        """
        now = seen.astype(np.float32)
        background = self._background
        if background is None or background.shape != now.shape:
            self._background, self._at_s = now, at_s
            return None
        lit = background * _gain(background, now)
        off = now - lit
        different = (np.abs(off) > LEVELS).astype(np.float32)
        dense = cv2.blur(different, (PATCH_PX, PATCH_PX))
        passed_s = max(0.0, at_s - self._at_s)
        still, changed = _share(passed_s, STILL_S), _share(passed_s, CHANGED_S)
        lit += off * (still + (changed - still) * different)
        self._background, self._at_s = lit, at_s
        return np.asarray(dense >= PATCH_SHARE)


class Novelty:
    """What looks different from when it was last searched: where nothing does, another search
    would find no more. (The place that somebody left differs from a background into which they
    had begun to fade, for many seconds, and nobody is there.)"""

    def __init__(self) -> None:
        """Nothing searched yet."""
        self._searched: Plane | None = None

    def look(self, seen: Pixels) -> Mask:
        """Where `seen`, a glance as `MotionGate` takes it, is new."""
        now = seen.astype(np.float32)
        before = self._searched
        if before is None or before.shape != now.shape:
            return np.ones(now.shape, bool)
        off = now - before * _gain(before, now)
        different = (np.abs(off) > NEW_LEVELS).astype(np.float32)
        return np.asarray(cv2.blur(different, (NEW_PATCH_PX, NEW_PATCH_PX)) >= NEW_SHARE)

    def searched(self, seen: Pixels, parts: Sequence[Box] = WHOLE) -> None:
        """`parts` of `seen` (x, y, width, height as fractions of it) are searched now."""
        now = seen.astype(np.float32)
        if self._searched is None or self._searched.shape != now.shape:
            self._searched = now.copy()
        for rows, columns in (cells(part, now.shape) for part in parts):
            self._searched[rows, columns] = now[rows, columns]


def cells(part: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a glance of `shape` (height, width) that `part`, in fractions of
    it, touches."""
    (height, width), (x, y, w, h) = shape, part
    return (
        slice(max(0, int(y * height)), max(0, math.ceil((y + h) * height))),
        slice(max(0, int(x * width)), max(0, math.ceil((x + w) * width))),
    )


def _gain(background: Plane, now: Plane) -> np.float32:
    """By how much the light of the whole scene has changed: most of it is background, so
    the median of the ratios is its."""
    ratios = (now.ravel()[::MEDIAN_STEP] + 1.0) / (background.ravel()[::MEDIAN_STEP] + 1.0)
    middle = len(ratios) // 2
    ratio = np.partition(ratios, middle)[middle]
    return np.float32(ratio if 1.0 / MOST_GAIN <= ratio <= MOST_GAIN else 1.0)


def _share(passed_s: float, constant_s: float) -> np.float32:
    """What of a difference is gone after `passed_s`."""
    return np.float32(1.0 - np.exp(-passed_s / constant_s))
