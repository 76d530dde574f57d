"""Whether anything moves: the costly search for faces may rest in a scene that is still.

A background picture follows the light, slowly where something differs from it and fast
where nothing does. A person who stands still becomes part of it in the end; that loses
nobody, as faces that are known are followed whatever the gate says, a head that turns moves,
and a full search is made now and then all the same (`edge.search`).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.framing import Pixels

#: Width to which the picture is reduced: a face of the smallest size that is searched for
#: (7% of the width) is then nearly six pixels wide, and a sensor's noise averages out.
WIDTH_PX = 80
#: A pixel has changed when it differs by so many grey levels of 255. Single pixels of the
#: reduced picture have a noise of one or two levels in a dim room.
LEVELS = 10.0
#: Side of the square in which changes are counted, and the share of it that must have
#: changed: less than the smallest face with its shoulders, more than noise.
PATCH_PX, PATCH_SHARE = 5, 0.4
#: How fast the background takes on what it sees, as time constants in seconds: where nothing
#: differs (the light of a day), and where something does (a chair that was moved).
STILL_S, CHANGED_S = 4.0, 20.0
#: Beyond this the exposure has changed, and not only the scene's light: no factor is trusted.
MOST_GAIN = 4.0

Plane = npt.NDArray[np.float32]


class MotionGate:
    """Compares each frame with the background; to be shown every frame."""

    def __init__(self) -> None:
        """Nothing known of the scene: the first frame counts as moving."""
        self._background: Plane | None = None
        self._at_s = 0.0
        self._changed: npt.NDArray[np.bool_] | None = None

    def look(self, luma: Pixels, at_s: float) -> bool:
        """Whether something differs from the background, or there is none yet.

        `luma` is (height, width) uint8 of any size, always the same; `at_s` seconds on a
        clock that does not run backwards.
        """
        now = _reduced(luma)
        background = self._background
        if background is None or background.shape != now.shape:
            self._background, self._at_s = now, at_s
            self._changed = np.ones(now.shape, bool)
            return True
        lit = background * _gain(background, now)
        different = np.abs(now - lit) > LEVELS
        dense = cv2.blur(different.astype(np.float32), (PATCH_PX, PATCH_PX))
        self._changed = np.asarray(dense >= PATCH_SHARE)
        moved = bool(self._changed.any())
        passed_s = max(0.0, at_s - self._at_s)
        self._at_s = at_s
        rate = np.where(different, _share(passed_s, CHANGED_S), _share(passed_s, STILL_S))
        self._background = np.asarray(lit + rate * (now - lit), np.float32)
        return moved

    def moved_outside(self, boxes: list[tuple[float, float, float, float]]) -> bool:
        """Whether the last frame differs anywhere but in `boxes`: x, y, width, height as
        fractions of the frame."""
        if self._changed is None:
            return False
        height, width = self._changed.shape
        rest = self._changed.copy()
        for x, y, w, h in boxes:
            rows = slice(max(0, int(y * height)), max(0, int(np.ceil((y + h) * height))))
            columns = slice(max(0, int(x * width)), max(0, int(np.ceil((x + w) * width))))
            rest[rows, columns] = False
        return bool(rest.any())


def _reduced(luma: Pixels) -> Plane:
    height, width = luma.shape
    size = (WIDTH_PX, max(1, round(WIDTH_PX * height / width)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def _gain(background: Plane, now: Plane) -> float:
    """By how much the light of the whole scene has changed: most of it is background, so
    the median of the ratios is its."""
    ratio = float(np.median((now + 1.0) / (background + 1.0)))
    return ratio if 1.0 / MOST_GAIN <= ratio <= MOST_GAIN else 1.0


def _share(passed_s: float, constant_s: float) -> float:
    """What of a difference is gone after `passed_s`."""
    return 1.0 - float(np.exp(-passed_s / constant_s))
