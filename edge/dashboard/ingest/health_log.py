"""What the history keeps of the devices' health: problems as text, and figures over time."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

from edge.dashboard.base.token_bucket import TokenBuckets
from edge.dashboard.live.device_state import DeviceState

MAX_PROBLEMS = 500
MAX_TEXT_LENGTH = 700
#: How many problems of one device are kept: this many at once, and one per 20 s.
PROBLEM_BURST, PROBLEMS_PER_S = 20, 0.05
#: Figures are kept once a minute for each device, but at most one row per second in total.
FIGURES_EVERY_S = 60.0


class ProblemBuffer:
    """Problems that are not yet written to the database; limited for each device.

    May be used from any thread.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._problems: list[tuple[str, str]] = []
        self._limits: TokenBuckets[str] = TokenBuckets(PROBLEM_BURST, PROBLEMS_PER_S)

    def add(self, device: str, text: str, ticks_s: float) -> None:
        """Add a problem, unless there are too many; `ticks_s` is the time on a monotonic clock."""
        with self._lock:
            if len(self._problems) < MAX_PROBLEMS and self._limits.consume(device, ticks_s):
                self._problems.append((device, text))

    def take_rows(self, at_s: float) -> list[dict[str, Any]]:
        """Empty the buffer; return its content as rows of the table `troubles`."""
        with self._lock:
            problems, self._problems = self._problems, []
        return [
            {"device": device, "at_s": at_s, "text": text[:MAX_TEXT_LENGTH]}
            for device, text in problems
        ]

    def prune(self, ticks_s: float) -> None:
        """Free the memory of limits that no longer restrict a device."""
        with self._lock:
            self._limits.remove_full(ticks_s)


class FigureSampler:
    """Chooses which health reports become rows of the table `figures`."""

    def __init__(self) -> None:
        """Start with no report sampled."""
        self._sampled_ticks_s: dict[str, float] = {}

    def take_rows(self, devices: list[DeviceState]) -> list[dict[str, Any]]:
        """Return the rows that are due, and record that they were returned."""
        every_s = max(FIGURES_EVERY_S, float(len(devices)))
        rows: list[dict[str, Any]] = []
        for device in devices:
            reported_ticks_s = device.reported_ticks_s
            if reported_ticks_s is None:
                continue
            if reported_ticks_s - self._sampled_ticks_s.get(device.name, -math.inf) >= every_s:
                self._sampled_ticks_s[device.name] = reported_ticks_s
                rows.append(device.figures_row())
        return rows

    def prune(self, listed: Iterable[str]) -> None:
        """Forget the devices that are not listed any more."""
        names = set(listed)
        self._sampled_ticks_s = {n: t for n, t in self._sampled_ticks_s.items() if n in names}
