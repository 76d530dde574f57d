"""A frame rate that is not exceeded: which frames of a source are wanted, and which are left out.

What is left out of a local camera is neither decoded nor copied out of its buffers. A stream or
a file has to be decoded all the same, as each picture builds on the one before; only its colours
are not converted (`VideoCapture.grab` without `retrieve`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: Frames of a live source that come in a burst, as a radio link delivers them, are let through up
#: to so many: the newest is what counts, and it comes last.
BURST = 3
#: Whether the frame of a time, in seconds on the source's clock, is wanted; to be asked of each.
Wants = Callable[[float], bool]
#: A frame this share of a period early is taken: cameras are not that exact, and the next one
#: may come much later.
EARLY = 0.1


def every(at_s: float) -> bool:
    """No frame is left out."""
    del at_s
    return True


class FrameRateBudget:
    """What share of the frame rate may be spent now, and what was spared; of one run, whose source
    may be opened many times. One thread reads a source; others may look."""

    def __init__(self, share: Callable[[], float] = lambda: 1.0) -> None:
        """`share`, 0 to 1, is asked at every frame."""
        self.share = share
        #: Frames that were left out.
        self.left_out = 0


class FrameRateLimit:
    """Wants frames at a steady rate."""

    def __init__(
        self,
        fps: float,
        allowance: FrameRateBudget | None = None,
        max_s: float = math.inf,
        burst: int = 1,
    ) -> None:
        """At most `fps` frames a second on average, times the share of the `allowance`; one every
        `max_s` seconds all the same. After a gap up to `burst` may follow each other."""
        self._fps = fps
        self._allowance = allowance or FrameRateBudget()
        self._longest_s = max_s
        self._burst = burst
        self._due_s = -math.inf

    def __call__(self, at_s: float) -> bool:
        """Whether the frame of `at_s` is due; times must not run backwards."""
        period_s = min(self._longest_s, 1.0 / (self._fps * self._allowance.share()))
        if at_s < self._due_s - EARLY * period_s:
            self._allowance.left_out += 1
            return False
        # On schedule, so that the rate holds on average; after a gap a new one begins, and
        # leaves room for what comes with this frame.
        if at_s - self._due_s <= self._burst * period_s:
            self._due_s += period_s
        elif self._due_s == -math.inf:
            self._due_s = at_s + period_s
        else:
            self._due_s = at_s - (self._burst - 2) * period_s
        return True
