"""The motion detector: which parts of the scene have changed since they were last searched.

A search of the other parts would find the same faces again. Each thumbnail is compared with a
reference image. Where nothing has changed, the reference slowly follows the light; where something
has changed, the reference is replaced as soon as that part has been searched. A person who arrives,
turns or leaves therefore counts as a change until that part has been searched, and a chair that was
moved, or the place that a person left, counts once. A person who stands still and was missed by the
search becomes part of the reference. The person counts as a change again when the head turns, and
`edge.detection.face_search` searches the whole frame at intervals in any case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Box, Pixels

#: A pixel has changed if it differs from the reference by more than this many grey levels, of 255.
#: In a dim room the noise of a thumbnail's pixel is one to three levels.
MIN_LEVEL_DIFFERENCE = 10.0
#: Side of the square in which changed pixels are counted, and the share of its pixels that must
#: have changed: an edge of the smallest face reaches this share, noise does not.
PATCH_PX, MIN_PATCH_SHARE = 5, 0.24
#: Time constant with which the reference follows daylight.
LIGHT_S = 4.0
#: A change of the brightness by more than this factor means that the exposure has changed, not only
#: the light of the scene. Such a change is not compensated.
MAX_GAIN = 4.0
#: The median is computed from every third pixel. This step has no factor in common with the width
#: of a thumbnail, so that pixels of every column are included.
MEDIAN_STEP = 3
#: The region that covers the whole frame, as fractions of it.
WHOLE_FRAME: tuple[Box, ...] = ((0.0, 0.0, 1.0, 1.0),)

Plane = npt.NDArray[np.float32]
#: Which pixels of a thumbnail have changed: (height, width) bool.
MotionMask = npt.NDArray[np.bool_]


class MotionDetector:
    """Compares each frame with the scene as it was when it was last searched.

    `update` must be called with every frame.
    """

    def __init__(self) -> None:
        """Start with nothing searched, so that the whole frame counts as changed."""
        self._reference: Plane | None = None
        self._latest: Plane = np.zeros((0, 0), np.float32)
        self._differs: MotionMask = np.zeros((0, 0), bool)
        self._changed: MotionMask = np.zeros((0, 0), bool)
        self._at_s = 0.0

    def update(self, thumbnail: Pixels, at_s: float) -> MotionMask:
        """Return which pixels have changed since they were last searched.

        Before the first search all pixels have changed. A pixel that has changed back still
        counts, because a person who turned away may have turned back. `thumbnail` is (height,
        width) uint8; if its size changes, nothing counts as searched. `at_s` is the time of the
        frame in seconds and must not decrease.
        """
        self._latest = latest = thumbnail.astype(np.float32)
        reference = self._reference
        if reference is None or reference.shape != latest.shape:
            self._reference, self._at_s = None, at_s
            self._changed = np.ones(latest.shape, bool)
            return self._changed.copy()
        reference = reference * _gain(reference, latest)
        difference = latest - reference
        self._differs = np.abs(difference) > MIN_LEVEL_DIFFERENCE
        passed_s = max(0.0, at_s - self._at_s)
        difference[self._differs] = 0.0
        reference += np.float32(1.0 - math.exp(-passed_s / LIGHT_S)) * difference
        self._reference, self._at_s = reference, at_s
        density = cv2.blur(self._differs.astype(np.float32), (PATCH_PX, PATCH_PX))
        self._changed |= density >= MIN_PATCH_SHARE
        return self._changed.copy()

    def mark_searched(self, regions: Sequence[Box]) -> None:
        """Record that `regions` of the latest frame have been searched.

        Each region is x, y, width, height as fractions of the frame.
        """
        if not regions:
            return
        if self._reference is None:
            self._reference = self._latest
            self._differs = np.zeros(self._latest.shape, bool)
        for rows, columns in (pixel_slices(region, self._latest.shape) for region in regions):
            self._changed[rows, columns] = False
            # Unchanged pixels keep the mean of many frames, which has less noise.
            np.copyto(
                self._reference[rows, columns],
                self._latest[rows, columns],
                where=self._differs[rows, columns],
            )


def pixel_slices(region: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns that `region`, in fractions, touches in an image of `shape`
    (height, width)."""
    (height, width), (x, y, w, h) = shape, region
    return (
        slice(max(0, int(y * height)), max(0, math.ceil((y + h) * height))),
        slice(max(0, int(x * width)), max(0, math.ceil((x + w) * width))),
    )


def _gain(reference: Plane, latest: Plane) -> np.float32:
    """Return the factor by which the light of the scene has changed.

    It is the median ratio of the pixels, because most of the scene changes only with the light.
    """
    ratios = (latest.ravel()[::MEDIAN_STEP] + 1.0) / (reference.ravel()[::MEDIAN_STEP] + 1.0)
    middle = len(ratios) // 2
    ratio = np.partition(ratios, middle)[middle]
    return np.float32(ratio if 1.0 / MAX_GAIN <= ratio <= MAX_GAIN else 1.0)
