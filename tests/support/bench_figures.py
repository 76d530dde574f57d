"""Invented results and contenders (benchmarked programs) for the tests of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.bench.measure import Pass
from edge.bench.results import (
    AlertFigures,
    Result,
    SceneFigures,
    SizeFigures,
    Sparing,
    Spread,
    StartFigures,
    ThreadFigures,
    contender_figures,
)
from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame


def frames(count: int, height: int = 6, width: int = 8) -> Iterator[Frame]:
    for index in range(count):
        yield Frame(np.full((height, width, 3), index, np.uint8), index * 0.1, index)


class RecordingContender:
    """A program under benchmark that records the frames that it processes."""

    runtime = "none"
    model_bytes = 0
    found = "nothing"

    def __init__(self, name: str, log: list[tuple[str, int]]) -> None:
        self.name, self._log = name, log
        self.every: int | None = None
        self.begun = self.ended = 0

    def begin(self, costs: StageCosts) -> None:
        self.begun += 1
        self._costs = costs

    def wants(self, frame: Frame) -> bool:
        return self.every is None or frame.index % self.every == 0

    def process(self, frame: Frame) -> None:
        with self._costs.measure("detect"):
            self._log.append((self.name, frame.index))

    def end(self) -> None:
        self.ended += 1


def one_pass(detect_s: float, between_s: float = 0.5, frames: int = 10) -> Pass:
    """Return a pass over one second of footage, in which all frames take equally long."""
    return Pass(
        frames,
        1.0,
        {
            "detect": [detect_s / frames] * frames,
            "frame": [(detect_s + between_s) / frames] * frames,
        },
        {"detect": detect_s, "frame": between_s},
    )


def scene_figures() -> SceneFigures:
    ours, original = [one_pass(0.5), one_pass(1.5)], [one_pass(9.5), one_pass(3.5)]
    events = ((2.7, "no_mask_start", None),)
    return SceneFigures(
        "hall.mp4",
        10,
        1.0,
        (480, 640),
        {
            "ours": contender_figures(ours, "one event", events, [("no_mask_start", None)]),
            "original": contender_figures(original, "9 faces"),
        },
        Spread.of([b.total_cpu_s / a.total_cpu_s for a, b in zip(ours, original, strict=True)]),
        Sparing(0, 1, (0.1, -0.25)),
    )


def result() -> Result:
    return Result(
        version="1.2.3",
        machine={
            "processor": "An Engine", "architecture": "aarch64", "cores": 4, "load": 0.5,
            "python": "3.11", "opencv": "4.11", "throttled": "under-voltage",
        },
        passes=2,
        runtimes={"ours": "a-runtime", "original": "a-runtime"},
        scenes=[scene_figures()],
        empty_core_share=0.0123,
        sizes=SizeFigures("640x480", "1920x1080", 2.0, 3.0, Spread.of([1.5])),
        crowd=SizeFigures("1 person in view", "20 people in view", 2.0, 3.0, Spread.of([1.5])),
        threads=[ThreadFigures(1, 12.0, 12.0, 1.5, 1.5), ThreadFigures(2, 8.0, 14.0, 2.5, 4.5)],
        alert=AlertFigures(20.0, 45.0, 24),
        start=StartFigures(Spread.of([0.4]), Spread.of([0.5]), Spread.of([0.9]), 82.0),
        memory_mb={"ours": 50.0, "original": 100.0},
        model_bytes={"ours": 100_000, "original": 13_000_000},
        instructions={"ours": 1_000, "original": 30_000},
        missing={"memory": "no VmHWM in /proc"},
    )  # fmt: skip
