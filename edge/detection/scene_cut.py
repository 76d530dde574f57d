"""A cut in the video: the picture shows another place or moment from one frame to the next."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

#: Cells that the picture is reduced to, across and down: noise averages out, a face is one
#: or two of them.
CELLS = (16, 12)
#: A cell has changed when it differs by so many grey levels of 255 …
LEVELS = 12.0
#: … and by so much of the picture's own contrast: a lamp that is switched changes levels,
#: and leaves bright bright and dark dark.
CONTRASTS = 0.4
#: A picture with less contrast than this, in grey levels, is flat: noise would look large.
MIN_CONTRAST = 10.0
#: A cut changes at least so many of the cells. Measured on six clips at 3 to 30 frames a
#: second: someone who walks through the whole picture changes up to 0.43 of them from one
#: frame to the next, cuts between clips of different places from 0.6 on.
CHANGED = 0.5
#: Frames farther apart than this are not compared: in that time people fill a picture by
#: themselves (at 1.5 frames a second one of the clips would have had 0.56).
MAX_GAP_S = 0.35

Cells = npt.NDArray[np.float32]


class SceneCutDetector:
    """Compares each frame with the one before it."""

    def __init__(self) -> None:
        """No frame seen yet."""
        self._before: Cells | None = None
        self._at_s = 0.0

    def is_cut(self, seen: Pixels, at_s: float) -> bool:
        """Whether the glance `seen` at a frame of `at_s` does not go on from the last one.

        False for a first frame and after a gap, when nobody can tell.
        """
        now = cells(seen)
        before, self._before = self._before, now
        gap_s, self._at_s = at_s - self._at_s, at_s
        if before is None or gap_s > MAX_GAP_S:
            return False
        return changed_share(before, now) >= CHANGED


def cells(seen: Pixels) -> Cells:
    """A (height, width) uint8 grey picture as (12, 16) mean grey levels, 0 to 255."""
    return np.asarray(cv2.resize(seen, CELLS, interpolation=cv2.INTER_AREA), np.float32)


def changed_share(before: Cells, now: Cells) -> float:
    """The share of the cells that changed, 0 to 1, by levels and by contrast: the smaller."""
    if cv2.norm(before, now, cv2.NORM_INF) <= LEVELS / 2.0:
        return 0.0  # nor will any cell differ by `LEVELS` when the medians are taken off
    old, new = before - np.median(before), now - np.median(now)
    levels = float(np.mean(np.abs(old - new) > LEVELS))
    if levels < CHANGED:
        return levels
    old, new = (each / max(float(np.abs(each).mean()), MIN_CONTRAST) for each in (old, new))
    return min(levels, float(np.mean(np.abs(old - new) > CONTRASTS)))
