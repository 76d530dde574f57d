"""A line that says how far something is, on a terminal; else a line for each tenth."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 30
EVERY_S = 0.2
MEGA = 1e6


class Progress:
    """`Writing [######      ]  47%  812 MB  61 MB/s`; a context manager that ends the line."""

    def __init__(
        self,
        what: str,
        total_bytes: int,
        out: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`total_bytes` make it whole."""
        self._what, self._total = what, max(1, total_bytes)
        self._out, self._clock = out, clock
        self._terminal = out.isatty()
        self._started_s = clock()
        self._told_s = self._started_s - EVERY_S
        self._tenth = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *failed: object) -> None:
        if self._terminal:
            self._out.write("\n")
            self._out.flush()

    def at(self, done_bytes: int) -> None:
        """So much is done."""
        share = min(1.0, done_bytes / self._total)
        now_s = self._clock()
        if self._terminal:
            if now_s - self._told_s >= EVERY_S or share == 1.0:
                self._told_s = now_s
                self._out.write(f"\r{self._line(share, done_bytes, now_s)}")
                self._out.flush()
        elif int(10 * share) > self._tenth:
            self._tenth = int(10 * share)
            self._out.write(f"{self._what} {100 * share:.0f}%\n")
            self._out.flush()

    def _line(self, share: float, done_bytes: int, now_s: float) -> str:
        bar = ("#" * round(WIDTH * share)).ljust(WIDTH)
        speed = done_bytes / MEGA / max(0.001, now_s - self._started_s)
        done = f"{100 * share:3.0f}% {done_bytes / MEGA:6.0f} MB {speed:4.0f} MB/s"
        return f"{self._what} [{bar}] {done}"
