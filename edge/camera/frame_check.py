"""Detect black and frozen pictures: whether a camera still shows its surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.common.arrays import Pixels

#: Size of the grid of pixels that is examined. Examining a few thousand pixels takes microseconds,
#: and they include some pixels of every lamp and of every face.
GRID_COLUMNS, GRID_ROWS = 64, 48
#: Mean level (0 to 255) below which a picture is dark. Black is 16 in video that was not expanded
#: to the full range, and the noise of a covered sensor raises the mean a little.
DARK_MEAN = 24.0
#: Standard deviation of the levels below which a picture is uniform. The noise of a covered sensor
#: at full gain is 3 to 6. One lamp or window that covers a hundredth of a night scene results in
#: 10 or more, so a dark hall with a light in it is not black.
UNIFORM_STD = 8.0


@dataclass(frozen=True)
class Verdict:
    """Result of checking a picture.

    `dark`: this picture is nearly black. `black`: all pictures of the last `black_after_s` were
    dark. `changed`: this picture differs from the previous one (False for the first picture).
    `frozen`: no picture differed from the previous one for `frozen_after_s`.
    """

    dark: bool
    black: bool
    changed: bool
    frozen: bool


class FrameCheck:
    """Checks the pictures of a live source from its opening to its closing, in their order."""

    def __init__(self, black_after_s: float, frozen_after_s: float) -> None:
        """Both arguments are spans of seconds on the caller's clock; see `Verdict`."""
        self._black_after_s = black_after_s
        self._frozen_after_s = frozen_after_s
        self._previous: Pixels | None = None
        self._same_since_s = 0.0
        self._dark_since_s: float | None = None

    def check(self, image_bgr: Pixels, now_s: float) -> Verdict:
        """Return the verdict on a (height, width, 3) uint8 picture that arrived at `now_s`."""
        grid = _grid(image_bgr)
        dark = is_dark(grid)
        if not dark:
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = now_s
        previous, self._previous = self._previous, grid
        changed = previous is not None and not np.array_equal(previous, grid)
        # In the dark, a working sensor may deliver nothing but zeros, so dark pictures do not count
        # as frozen.
        if previous is None or changed or dark:
            self._same_since_s = now_s
        return Verdict(
            dark,
            self._dark_since_s is not None and now_s - self._dark_since_s >= self._black_after_s,
            changed,
            now_s - self._same_since_s >= self._frozen_after_s,
        )


def is_dark(image_bgr: Pixels) -> bool:
    """Return whether a picture is dark and nearly uniform."""
    return bool(image_bgr.mean() < DARK_MEAN and image_bgr.std() < UNIFORM_STD)


def _grid(image_bgr: Pixels) -> Pixels:
    """Return a copy of evenly spread pixels; the camera may reuse the memory of the picture."""
    height, width = image_bgr.shape[:2]
    return image_bgr[:: max(1, height // GRID_ROWS), :: max(1, width // GRID_COLUMNS)].copy()
