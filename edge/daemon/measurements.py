"""The measurements of the running daemon: durations and progress."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.common.stage_times import Progress, StageTimes


@dataclass(frozen=True)
class Measurements:
    """The durations of the stages, and the progress of the loop; readable from any thread."""

    times: StageTimes = field(default_factory=StageTimes)
    progress: Progress = field(default_factory=Progress)
