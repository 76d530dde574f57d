"""Limit the frame rate of a source: which of its frames are processed and which are skipped.

A skipped frame of a local camera is neither decoded nor copied out of the camera's buffers. A
frame of a stream or file has to be decoded in any case, because the frames after it depend on it;
only its conversion to BGR is saved (`VideoDecoder.grab` without `retrieve`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: How many frames of a live source may follow each other without delay. Radio links deliver
#: frames in bursts; the newest frame matters most, and it is the last one of a burst.
BURST = 3
#: Returns whether a frame is to be processed, from its time in seconds on the source's clock;
#: must be called once for every frame.
FrameFilter = Callable[[float], bool]
#: A frame that is early by this fraction of a period is accepted: cameras are not exact, and the
#: next frame may come much later.
EARLY = 0.1


def accept_all(at_s: float) -> bool:
    """Accept every frame."""
    del at_s
    return True


class FrameRateBudget:
    """The fraction of the frame rate that may be used at present, and a count of skipped frames.

    The budget lasts for one run, in which the source may be opened many times. The budget is
    written by the one thread that reads the source; other threads may read the budget.
    """

    def __init__(self, share: Callable[[], float] = lambda: 1.0) -> None:
        """`share` returns the fraction, 0 to 1; it is called for every frame."""
        self.share = share
        #: Number of frames that were skipped.
        self.left_out = 0


class FrameRateLimit:
    """A `FrameFilter` that accepts frames at a steady rate."""

    def __init__(
        self,
        fps: float,
        budget: FrameRateBudget | None = None,
        max_s: float = math.inf,
        burst: int = 1,
    ) -> None:
        """Accept on average at most `fps` frames per second, multiplied by `budget.share()`.

        At least one frame is accepted every `max_s` seconds, whatever the share. After a gap, up
        to `burst` frames may follow each other without delay.
        """
        self._fps = fps
        self._budget = budget or FrameRateBudget()
        self._max_s = max_s
        self._burst = burst
        self._due_s = -math.inf

    def __call__(self, at_s: float) -> bool:
        """Return whether the frame captured at `at_s` is due; times must not decrease."""
        period_s = min(self._max_s, 1.0 / (self._fps * self._budget.share()))
        if at_s < self._due_s - EARLY * period_s:
            self._budget.left_out += 1
            return False
        # Frames are due at fixed intervals, so that the average rate is exact. After a gap the
        # schedule starts again, early enough for the other frames of the same burst to be due.
        if at_s - self._due_s <= self._burst * period_s:
            self._due_s += period_s
        elif self._due_s == -math.inf:
            self._due_s = at_s + period_s
        else:
            self._due_s = at_s - (self._burst - 2) * period_s
        return True
