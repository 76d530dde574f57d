"""Measurements of the running daemon: durations of stages, frame rate and memory."""

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

#: How many of the newest durations are kept per stage: one to two minutes at ten frames a second.
MAX_KEPT = 1000
#: Number of the newest frames from which the frame rate is calculated.
RATE_FRAMES = 100
#: A loop that has not completed a turn for this long is considered to hang.
HUNG_S = 5.0


@dataclass(frozen=True)
class Quantiles:
    """Median and 95th percentile of a stage's newest durations, in milliseconds."""

    p50_ms: float
    p95_ms: float
    count: int


class StageTimes:
    """How long each stage takes; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock` returns seconds and never decreases."""
        self._clock = clock
        self._lock = threading.Lock()
        self._newest_s: dict[str, deque[float]] = {}
        self._count: dict[str, int] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Measure the duration of the `with` block as one pass of `stage`."""
        started_s = self._clock()
        try:
            yield
        finally:
            self.add(stage, self._clock() - started_s)

    def add(self, stage: str, seconds: float) -> None:
        """Add one pass of `stage` that took `seconds`."""
        with self._lock:
            self._newest_s.setdefault(stage, deque(maxlen=MAX_KEPT)).append(seconds)
            self._count[stage] = self._count.get(stage, 0) + 1

    def quantiles(self) -> Mapping[str, Quantiles]:
        """Return the quantiles of each stage, in the order of the stages' first passes."""
        with self._lock:
            kept = {stage: sorted(values) for stage, values in self._newest_s.items()}
            counts = dict(self._count)
        return {
            stage: Quantiles(_quantile_ms(values, 0.5), _quantile_ms(values, 0.95), counts[stage])
            for stage, values in kept.items()
        }


def _quantile_ms(ordered_s: list[float], share: float) -> float:
    """Return the value below which `share` of `ordered_s` lies (nearest rank), in milliseconds."""
    return round(1000.0 * ordered_s[min(len(ordered_s) - 1, int(share * len(ordered_s)))], 3)


class Progress:
    """Progress of the daemon's loop; written by the loop, read by the threads that report it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at the present time of `clock`, in seconds, with no frame."""
        self._clock = clock
        self.started_s = clock()
        self.frames = 0
        self._iteration_s = self.started_s
        self._newest_s: deque[float] = deque(maxlen=RATE_FRAMES)

    def mark_iteration(self) -> None:
        """Record that an iteration of the loop begins, with or without a frame."""
        self._iteration_s = self._clock()

    def idle_s(self) -> float:
        """Return the seconds since the newest iteration began; large only while a stage hangs."""
        return self._clock() - self._iteration_s

    def frame_done(self) -> None:
        """Count a frame that has passed every stage."""
        self.frames += 1
        self._newest_s.append(self._clock())

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self.started_s

    def fps(self) -> float:
        """Return the frames per second from the oldest remembered frame to the present.

        The rate decreases while no frame arrives, because it is calculated up to the present.
        """
        newest_s = list(self._newest_s)
        if len(newest_s) < 2:
            return 0.0
        return len(newest_s) / max(1e-3, self._clock() - newest_s[0])


def memory_mb() -> float:
    """Return the present resident memory of this process in MiB; its peak if /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return round(peak_memory_mb(), 1)
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
