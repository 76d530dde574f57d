"""Wall time and processor time of each stage in one pass over a clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.common.stage_times import StageTimes

#: The stage that contains all stages of a frame.
WHOLE = "frame"


class StageCosts(StageTimes):
    """The daemon's `StageTimes`, but with every duration kept, and processor time as well.

    The processor time of a stage excludes that of stages inside it, so that all of them add up
    to the total; that of `WHOLE` is the time between the stages.
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
        #: Wall time of each run in seconds, by stage.
        self.durations_s: dict[str, list[float]] = {}
        #: Processor time in seconds by stage, without that of the stages inside it.
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time the `with` block as one run of `stage`."""
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
        """Count one run of `stage` whose processor time is not known."""
        self.durations_s.setdefault(stage, []).append(seconds)
