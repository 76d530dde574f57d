"""The figures of the bench, as they are printed, drawn and written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.bench.alert_agreement import agreement, episodes
from edge.bench.measure import Pass
from edge.bench.stage_costs import WHOLE
from edge.events.alert_machine import Event

#: What a frame costs between its stages, in the figures.
BETWEEN = "between"


@dataclass(frozen=True)
class Spread:
    """The median of several figures, their quartiles, and the figures themselves."""

    median: float
    lower_quartile: float
    upper_quartile: float
    each: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one figure at least."""
        low, middle, high = np.percentile(values, [25, 50, 75])
        each = tuple(round(value, 4) for value in values)
        return cls(round(middle, 4), round(low, 4), round(high, 4), each)


@dataclass(frozen=True)
class StageFigures:
    """Wall time of a run of the stage, all passes together; its processor time is without that
    of stages within it, the median of the passes."""

    p50_ms: float
    p95_ms: float
    runs: int
    cpu_ms_per_frame: float


@dataclass(frozen=True)
class ContenderFigures:
    """What one contender spent on a scene.

    `events`, for ours: time, type, how it ended; `as_expected`: whether they are those that the
    scene is known to bring, None where that is not known.
    """

    stages: Mapping[str, StageFigures]
    cpu_s_per_minute: Spread
    frames_per_s: float
    found: str
    events: tuple[tuple[float, str, str | None], ...] | None = None
    as_expected: bool | None = None


@dataclass(frozen=True)
class Sparing:
    """Our alerts of a scene against those when every frame is searched wholly: how many are
    missing, how many came besides, and how much later each of the others, in seconds."""

    lost: int
    added: int
    late_s: tuple[float, ...]


@dataclass(frozen=True)
class SceneFigures:
    """A scene as all contenders played it.

    `frames` in the footage. `ratio`: processor time of the original over ours, a figure for each
    pass; None when ours plays alone. `sparing`: None for a scene that has nobody in it.
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
    """Our processor time for a frame in two sizes, and what the larger costs over the other."""

    small: str
    large: str
    small_ms: float
    large_ms: float
    ratio: Spread


@dataclass(frozen=True)
class StartFigures:
    """Seconds from the start of the daemon's process until a subscriber sees it `online`, sees
    somebody in `state` and gets an alert; and the most memory that the process held, in MiB."""

    online_s: Spread
    reading_s: Spread
    alert_s: Spread
    peak_mb: float | None


@dataclass(frozen=True)
class ThreadFigures:
    """A whole search of a frame (`detect`) and the reading of a face (`classify`) on so many
    threads, medians in ms of the clock and of processor time."""

    threads: int
    detect_ms: float
    detect_cpu_ms: float
    classify_ms: float
    classify_cpu_ms: float


@dataclass(frozen=True)
class AlertFigures:
    """From the capture of a frame to the broker's acknowledgement of the alerts that it brought,
    with two people in view: median and 95th percentile in ms, and how many there were."""

    p50_ms: float
    p95_ms: float
    alerts: int


@dataclass(frozen=True)
class Result:
    """All that a run of the bench found out.

    `missing` says of what could not be measured why. `memory_mb`: the most that a process held
    that did nothing but play the demo through the pipeline. `instructions`: of one frame.
    """

    version: str
    machine: Mapping[str, str | int | float]
    passes: int
    runtimes: Mapping[str, str]
    scenes: Sequence[SceneFigures]
    empty_core_share: float
    sizes: SizeFigures
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
    """Of the passes of one contender over one scene; `expected`: events without their times."""
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


def sparing_figures(ours: Sequence[Event], thorough: Sequence[Event]) -> Sparing:
    """Of the events of the same scene."""
    own, others = episodes(ours), episodes(thorough)
    late_s = agreement(own, others)
    rounded = tuple(round(each, 3) for each in late_s)
    return Sparing(len(others) - len(late_s), len(own) - len(late_s), rounded)


def sorted_stages(passes: Sequence[Pass]) -> list[str]:
    """The stages in the order in which they first ended, the whole frame last."""
    names = dict.fromkeys(name for each in passes for name in each.durations_s)
    return [name for name in names if name != WHOLE] + [WHOLE]


def between_ms(contender: ContenderFigures) -> dict[str, float]:
    """Processor time of a frame by stage, in ms; `BETWEEN` for what is in none of them."""
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
