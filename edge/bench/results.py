"""The figures of the bench, which are printed, drawn, and written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.bench.alert_agreement import agreement, episodes
from edge.bench.measure import Pass
from edge.bench.stage_costs import WHOLE
from edge.events.alert_machine import Event

#: The name under which the processor time between the stages is listed among them.
BETWEEN = "between"


@dataclass(frozen=True)
class Spread:
    """The median and the quartiles of several figures, and the figures themselves."""

    median: float
    lower_quartile: float
    upper_quartile: float
    each: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, of which there must be at least one."""
        low, middle, high = np.percentile(values, [25, 50, 75])
        each = tuple(round(value, 4) for value in values)
        return cls(round(middle, 4), round(low, 4), round(high, 4), each)


@dataclass(frozen=True)
class StageFigures:
    """The cost of a stage.

    `p50_ms`, `p95_ms`: wall time of a run, over all passes. `cpu_ms_per_frame`: processor time
    without that of the stages inside it; the median of the passes.
    """

    p50_ms: float
    p95_ms: float
    runs: int
    cpu_ms_per_frame: float


@dataclass(frozen=True)
class ContenderFigures:
    """The cost of one scene for one contender.

    `events`: time, type and `ended_by` of each event; None for the original, which has no events.
    `as_expected`: whether `events` are the scene's expected events; None if those are unknown.
    """

    stages: Mapping[str, StageFigures]
    cpu_s_per_minute: Spread
    frames_per_s: float
    found: str
    events: tuple[tuple[float, str, str | None], ...] | None = None
    as_expected: bool | None = None


@dataclass(frozen=True)
class Sparing:
    """Our alerts of a scene compared with those of a complete search of every frame.

    `lost`: alerts that ours lacks. `added`: alerts that only ours has. `late_s`: for each
    alert that both have, how many seconds later ours began; negative when ours began earlier.
    """

    lost: int
    added: int
    late_s: tuple[float, ...]


@dataclass(frozen=True)
class SceneFigures:
    """The figures of all contenders for one scene.

    `frames`: number of frames in the footage. `ratio`: processor time of the original divided by
    ours, one figure for each pass; None without the original. `sparing`: our alerts compared
    with those of a complete search; None for the empty scene.
    """

    name: str
    frames: int
    footage_s: float
    size_px: tuple[int, int]
    contenders: Mapping[str, ContenderFigures]
    ratio: Spread | None
    sparing: Sparing | None


@dataclass(frozen=True)
class SizeFigures:
    """Our processor time for a frame of two scenes, `small` and `large`; `ratio` is that of the
    larger to the smaller.
    """

    small: str
    large: str
    small_ms: float
    large_ms: float
    ratio: Spread


@dataclass(frozen=True)
class StartFigures:
    """Seconds from the start of the daemon's process to three marks, as a subscriber sees them.

    `online_s`: `status` is `online`. `reading_s`: `state` counts the first person.
    `alert_s`: the first alert arrives. `peak_mb`: peak memory of the process in MiB.
    """

    online_s: Spread
    reading_s: Spread
    alert_s: Spread
    peak_mb: float | None


@dataclass(frozen=True)
class ThreadFigures:
    """A complete search of a frame (`detect`) and a reading of a face (`classify`) with `threads`
    threads: median wall time and processor time in ms."""

    threads: int
    detect_ms: float
    detect_cpu_ms: float
    classify_ms: float
    classify_cpu_ms: float


@dataclass(frozen=True)
class AlertFigures:
    """Time from the capture of a frame to the broker's acknowledgement of its alert, with two
    people in view: median and 95th percentile in ms, and the number of alerts."""

    p50_ms: float
    p95_ms: float
    alerts: int


@dataclass(frozen=True)
class Result:
    """All figures of a run of the bench.

    `missing`: for each part that could not be measured, the reason. `memory_mb`: peak memory of a
    process that only plays the demo through the pipeline. `instructions`: instructions that each
    contender executes for one frame. `sizes`: two sizes of the frame. `crowd`: one person in view,
    and twenty.
    """

    version: str
    machine: Mapping[str, str | int | float]
    passes: int
    runtimes: Mapping[str, str]
    scenes: Sequence[SceneFigures]
    empty_core_share: float
    sizes: SizeFigures
    crowd: SizeFigures
    threads: Sequence[ThreadFigures]
    start: StartFigures | None
    alert: AlertFigures | None
    memory_mb: Mapping[str, float]
    model_bytes: Mapping[str, int]
    instructions: Mapping[str, int] | None
    missing: Mapping[str, str] = field(default_factory=dict)


def contender_figures(
    passes: Sequence[Pass],
    found: str,
    events: tuple[tuple[float, str, str | None], ...] | None = None,
    expected: Sequence[tuple[str, str | None]] | None = None,
) -> ContenderFigures:
    """Return the figures of one contender for one scene; `expected`: events without times."""
    as_expected = None
    if events is not None and expected is not None:
        as_expected = [event[1:] for event in events] == list(expected)
    stages = {name: _stage(passes, name) for name in sorted_stages(passes)}
    return ContenderFigures(
        stages,
        Spread.of([each.cpu_s_per_minute for each in passes]),
        round(float(np.median([each.frames_per_s for each in passes])), 2),
        found,
        events,
        as_expected,
    )


def sparing_figures(ours: Sequence[Event], complete: Sequence[Event]) -> Sparing:
    """Compare the events of the same scene: ours, and those of a complete search."""
    own, others = episodes(ours), episodes(complete)
    late_s = agreement(own, others)
    rounded = tuple(round(each, 3) for each in late_s)
    return Sparing(len(others) - len(late_s), len(own) - len(late_s), rounded)


def sorted_stages(passes: Sequence[Pass]) -> list[str]:
    """Return the stages in the order in which they first ended, the whole frame last."""
    names = dict.fromkeys(name for each in passes for name in each.durations_s)
    return [name for name in names if name != WHOLE] + [WHOLE]


def between_ms(contender: ContenderFigures) -> dict[str, float]:
    """Return the processor time of a frame by stage, in ms; `BETWEEN` is that between stages."""
    return {
        BETWEEN if name == WHOLE else name: stage.cpu_ms_per_frame
        for name, stage in contender.stages.items()
    }


def _stage(passes: Sequence[Pass], name: str) -> StageFigures:
    durations_ms = 1000.0 * np.concatenate([each.durations_s.get(name, []) for each in passes])
    cpu_ms = [1000.0 * each.cpu_s.get(name, 0.0) / each.frames for each in passes]
    middle, high = np.percentile(durations_ms, [50, 95])
    return StageFigures(
        round(float(middle), 4),
        round(float(high), 4),
        len(durations_ms),
        round(float(np.median(cpu_ms)), 4),
    )
