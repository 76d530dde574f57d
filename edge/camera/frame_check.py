"""Whether what a camera delivers is still a picture of the world: black and frozen ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.common.arrays import Pixels

#: Points looked at, across and down: a few thousand of them cost microseconds and still
#: see every lamp and every face.
GRID_COLUMNS, GRID_ROWS = 64, 48
#: Mean level (0 to 255) below which a picture is dark: video black that was never stretched
#: to the full range stands at 16, and a capped sensor's noise lifts it a little.
DARK_MEAN = 24.0
#: Standard deviation of the levels below which it is uniform: a capped sensor at full gain has
#: a noise of 3 to 6. A single lamp or window that covers a hundredth of a night scene gives 10
#: and more, so a dark hall with a light in it is not black.
UNIFORM_STD = 8.0


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a picture, and of those before it.

    `dark`: this one is all but black; `black`: so have been all of `black_after_s`.
    `changed`: it differs from the one before it (False for the first one);
    `frozen`: none has differed for `frozen_after_s`.
    """

    dark: bool
    black: bool
    changed: bool
    frozen: bool


class FrameCheck:
    """Judges the pictures of one opening of a live source, in their order."""

    def __init__(self, black_after_s: float, frozen_after_s: float) -> None:
        """Nothing seen yet; both spans are in seconds on the caller's clock."""
        self._black_after_s = black_after_s
        self._frozen_after_s = frozen_after_s
        self._before: Pixels | None = None
        self._same_since_s = 0.0
        self._dark_since_s: float | None = None

    def look(self, image_bgr: Pixels, now_s: float) -> Verdict:
        """The verdict on a (height, width, 3) uint8 picture that came at `now_s`."""
        grid = _grid(image_bgr)
        dark = is_dark(grid)
        if not dark:
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = now_s
        before, self._before = self._before, grid
        changed = before is not None and not np.array_equal(before, grid)
        # In the dark a sensor may well deliver plain zeros: that is no proof of a fault.
        if before is None or changed or dark:
            self._same_since_s = now_s
        return Verdict(
            dark,
            self._dark_since_s is not None and now_s - self._dark_since_s >= self._black_after_s,
            changed,
            now_s - self._same_since_s >= self._frozen_after_s,
        )


def is_dark(image_bgr: Pixels) -> bool:
    """Whether a picture is nearly uniform and dark."""
    return bool(image_bgr.mean() < DARK_MEAN and image_bgr.std() < UNIFORM_STD)


def _grid(image_bgr: Pixels) -> Pixels:
    """A copy of evenly spread points: the camera may use the picture's memory again."""
    height, width = image_bgr.shape[:2]
    return image_bgr[:: max(1, height // GRID_ROWS), :: max(1, width // GRID_COLUMNS)].copy()
