"""Clocks that a test sets: for times in seconds, and for moments (`edge.common.clock.Moment`)."""

from __future__ import annotations

import time
from dataclasses import replace

from edge.common.clock import Moment

START = Moment(utc_s=1_790_000_000.0, synced=True, boot="one", boot_s=100.0)


class Clock:
    """Returns a time in seconds that only `advance` changes."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class RunningClock:
    """Returns the monotonic clock's time plus the seconds by which `advance` moved it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


class MomentClock:
    """Returns a moment that only the test changes; the first moment is `START`."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Moment:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move both times of the moment (UTC and since the boot) forward."""
        self.now = replace(
            self.now, utc_s=self.now.utc_s + seconds, boot_s=self.now.boot_s + seconds
        )
