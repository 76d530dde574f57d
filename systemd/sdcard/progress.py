"""A progress bar on a terminal; elsewhere, a line for every 10%."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 30
REFRESH_S = 0.2
BYTES_PER_MB = 1e6


class Progress:
    """A line such as `Writing [######      ]  47%  812 MB  61 MB/s`.

    As a context manager, it ends the line at the exit.
    """

    def __init__(
        self,
        label: str,
        total_bytes: int,
        out: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show the progress towards `total_bytes` on `out`."""
        self._label, self._total = label, max(1, total_bytes)
        self._out, self._clock = out, clock
        self._terminal = out.isatty()
        self._started_s = clock()
        self._drawn_s = self._started_s - REFRESH_S
        self._tenth = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._terminal:
            self._out.write("\n")
            self._out.flush()

    def update(self, done_bytes: int) -> None:
        """Show that `done_bytes` of the total have been processed."""
        fraction = min(1.0, done_bytes / self._total)
        now_s = self._clock()
        if self._terminal:
            if now_s - self._drawn_s >= REFRESH_S or fraction == 1.0:
                self._drawn_s = now_s
                self._out.write(f"\r{self._line(fraction, done_bytes, now_s)}")
                self._out.flush()
        elif int(10 * fraction) > self._tenth:
            self._tenth = int(10 * fraction)
            self._out.write(f"{self._label} {100 * fraction:.0f}%\n")
            self._out.flush()

    def _line(self, fraction: float, done_bytes: int, now_s: float) -> str:
        bar = ("#" * round(WIDTH * fraction)).ljust(WIDTH)
        speed = done_bytes / BYTES_PER_MB / max(0.001, now_s - self._started_s)
        done = f"{100 * fraction:3.0f}% {done_bytes / BYTES_PER_MB:6.0f} MB {speed:4.0f} MB/s"
        return f"{self._label} [{bar}] {done}"
