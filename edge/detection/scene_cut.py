"""Scene-cut detection: whether a frame shows another place or time than the previous one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

#: Number of cells, across and down, to which a thumbnail is averaged: noise averages out, and a
#: face covers one or two cells.
CELLS = (16, 12)
#: A cell has changed in level if it differs by more than this many grey levels, of 255.
MIN_LEVEL_DIFFERENCE = 12.0
#: A cell has changed in contrast if it differs by more than this share of the frame's contrast. A
#: lamp that is switched on changes the levels, but bright parts stay bright compared with dark
#: parts.
MIN_CONTRAST_DIFFERENCE = 0.4
#: Lower bound for the contrast in grey levels, so that noise in a flat image does not count.
MIN_CONTRAST = 10.0
#: Share of the cells that must have changed at a cut. Measured on six clips at 3 to 30 frames a
#: second: a person who walks through the whole frame changes at most 0.43 of the cells from one
#: frame to the next; cuts between clips of different places change 0.6 or more.
MIN_CHANGED_SHARE = 0.5
#: Frames that are farther apart than this are not compared, because in that time people can fill
#: the frame (at 1.5 frames a second one of the clips had a changed share of 0.56).
MAX_GAP_S = 0.35

Cells = npt.NDArray[np.float32]


class SceneCutDetector:
    """Compares each frame with the previous one."""

    def __init__(self) -> None:
        """Start without a previous frame."""
        self._previous: Cells | None = None
        self._at_s = 0.0

    def is_cut(self, thumbnail: Pixels, at_s: float) -> bool:
        """Whether there is a cut between the previous frame and `thumbnail`, the frame of `at_s`.

        Always False for the first frame and after a gap of more than `MAX_GAP_S`.
        """
        cells = average_cells(thumbnail)
        previous, self._previous = self._previous, cells
        gap_s, self._at_s = at_s - self._at_s, at_s
        if previous is None or gap_s > MAX_GAP_S:
            return False
        return changed_share(previous, cells) >= MIN_CHANGED_SHARE


def average_cells(thumbnail: Pixels) -> Cells:
    """Return the mean grey levels, 0 to 255, of the (12, 16) cells of a (height, width) image."""
    return np.asarray(cv2.resize(thumbnail, CELLS, interpolation=cv2.INTER_AREA), np.float32)


def changed_share(previous: Cells, cells: Cells) -> float:
    """Return the smaller of the shares of cells that have changed in level and in contrast."""
    if cv2.norm(previous, cells, cv2.NORM_INF) <= MIN_LEVEL_DIFFERENCE / 2.0:
        # The medians, too, differ by at most half the limit, so no cell has changed in level.
        return 0.0
    old, new = previous - _median(previous), cells - _median(cells)
    by_level = float(np.mean(np.abs(old - new) > MIN_LEVEL_DIFFERENCE))
    if by_level < MIN_CHANGED_SHARE:
        return by_level
    old, new = (each / max(float(np.abs(each).mean()), MIN_CONTRAST) for each in (old, new))
    return min(by_level, float(np.mean(np.abs(old - new) > MIN_CONTRAST_DIFFERENCE)))


def _median(cells: Cells) -> float:
    """Return the median.

    With numpy 2.5, the first call of `np.median` imports `numpy.ma`. That executes 200 million
    instructions, as many as nine frames.
    """
    ordered = np.sort(cells, axis=None)
    return float(ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2]) / 2.0
