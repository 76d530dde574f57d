"""Wall and processor time of each stage, of one pass over a clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.common.stage_times import StageTimes

#: What is measured around all stages of a frame.
WHOLE = "frame"


class StageCosts(StageTimes):
    """What the daemon's `StageTimes` does, with every duration kept and processor time beside it.

    A stage within a stage counts for itself alone, so that processor times add up to the whole:
    that of `WHOLE` is what lies between the stages.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        """`wall` and `cpu` are clocks in seconds; `cpu` counts all threads of the process."""
        super().__init__(wall)
        self._wall, self._cpu = wall, cpu
        self._within_s: list[float] = []
        #: Seconds of each time that a stage ran, by stage.
        self.durations_s: dict[str, list[float]] = {}
        #: Processor seconds of each stage, those of stages within it left out.
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time the `with` block as one pass of `stage`."""
        self._within_s.append(0.0)
        wall_s, cpu_s = self._wall(), self._cpu()
        try:
            yield
        finally:
            spent_s = self._cpu() - cpu_s
            self.add(stage, self._wall() - wall_s)
            own_s = spent_s - self._within_s.pop()
            self.cpu_s[stage] = self.cpu_s.get(stage, 0.0) + own_s
            if self._within_s:
                self._within_s[-1] += spent_s

    def add(self, stage: str, seconds: float) -> None:
        """Count one pass of `stage`, whose processor time is not known."""
        self.durations_s.setdefault(stage, []).append(seconds)
