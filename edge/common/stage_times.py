"""Figures of the running daemon: cheap enough to be always on."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Newest durations kept per stage: one to two minutes at ten frames a second.
KEPT = 1000
#: Frames over which their rate is told.
RATE_FRAMES = 100


@dataclass(frozen=True)
class Quantiles:
    """Median and 95th percentile of a stage's newest durations, in milliseconds."""

    p50_ms: float
    p95_ms: float
    count: int


class StageTimes:
    """How long each stage takes; may be fed and read from any thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start empty."""
        self._clock = clock
        self._lock = threading.Lock()
        self._newest_s: dict[str, deque[float]] = {}
        self._count: dict[str, int] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time the `with` block as one pass of `stage`."""
        started_s = self._clock()
        try:
            yield
        finally:
            self.add(stage, self._clock() - started_s)

    def add(self, stage: str, seconds: float) -> None:
        """Count one pass of `stage`."""
        with self._lock:
            self._newest_s.setdefault(stage, deque(maxlen=KEPT)).append(seconds)
            self._count[stage] = self._count.get(stage, 0) + 1

    def quantiles(self) -> Mapping[str, Quantiles]:
        """Each stage in the order of its first pass."""
        with self._lock:
            kept = {stage: sorted(values) for stage, values in self._newest_s.items()}
            counts = dict(self._count)
        return {
            stage: Quantiles(_at(values, 0.5), _at(values, 0.95), counts[stage])
            for stage, values in kept.items()
        }


def _at(ordered_s: list[float], share: float) -> float:
    """The value below which `share` of `ordered_s` lies, nearest rank, in milliseconds."""
    return round(1000.0 * ordered_s[min(len(ordered_s) - 1, int(share * len(ordered_s)))], 3)


class Progress:
    """How far the loop has come; written by it, read by who reports."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing done yet."""
        self._clock = clock
        self.started_s = clock()
        self.frames = 0
        self._turned_s = self.started_s
        self._newest_s: deque[float] = deque(maxlen=RATE_FRAMES)

    def turn(self) -> None:
        """The loop came round, with a frame or without."""
        self._turned_s = self._clock()

    def idle_s(self) -> float:
        """Since the loop came round; it grows only while a stage hangs."""
        return self._clock() - self._turned_s

    def frame_done(self) -> None:
        """One more frame went through every stage."""
        self.frames += 1
        self._newest_s.append(self._clock())

    def elapsed_s(self) -> float:
        """Since the start."""
        return self._clock() - self.started_s

    def fps(self) -> float:
        """Frames a second, over the newest ones and up to now: it falls when none comes."""
        newest_s = list(self._newest_s)
        if len(newest_s) < 2:
            return 0.0
        return len(newest_s) / max(1e-3, self._clock() - newest_s[0])


def memory_mb() -> float:
    """Resident memory of this process now, in MiB (its peak where /proc is missing)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return round(peak_memory_mb(), 1)
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def peak_memory_mb() -> float:
    """The most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
