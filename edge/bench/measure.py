"""Plays the same frames through each contender alternately, and measures each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import cv2

from edge.bench.stage_costs import WHOLE, StageCosts
from edge.camera.source import Frame

#: Frames are decoded before they are measured, this many bytes at a time: few enough for a Pi's
#: memory, and enough for each contender to fill the processor's caches with its own data.
CHUNK_BYTES = 32 * 2**20
#: The length assumed for a clip of one frame: the interval at the default 10 frames per second.
LONE_FRAME_S = 0.1


class Contender(Protocol):
    """A pipeline that processes frames."""

    name: str
    runtime: str
    model_bytes: int

    def begin(self, costs: StageCosts) -> None:
        """Start a clip; the times of the stages are added to `costs`."""

    def wants(self, frame: Frame) -> bool:
        """Return whether `frame` is processed, or skipped because of the frame rate limit."""

    def process(self, frame: Frame) -> None:
        """Process `frame` completely."""

    def end(self) -> None:
        """End the clip."""

    @property
    def found(self) -> str:
        """A readable summary of what was found in the clip so far."""


@dataclass(frozen=True)
class Pass:
    """The cost of one clip for one contender, which processed `frames` of its frames.

    `durations_s`: wall time of each run, by stage. `cpu_s`: processor time by stage, without that
    of the stages inside it; under `WHOLE`, the processor time between the stages.
    """

    frames: int
    footage_s: float
    durations_s: dict[str, list[float]]
    cpu_s: dict[str, float]

    @property
    def total_cpu_s(self) -> float:
        """Processor time of the whole clip, in seconds."""
        return sum(self.cpu_s.values())

    @property
    def cpu_s_per_minute(self) -> float:
        """Processor time for one minute of footage, in seconds."""
        return 60.0 * self.total_cpu_s / self.footage_s

    @property
    def cpu_ms_per_frame(self) -> float:
        """Mean processor time of a frame, in milliseconds."""
        return 1000.0 * self.total_cpu_s / self.frames

    @property
    def frames_per_s(self) -> float:
        """Frames per second when they are processed without a pause."""
        return self.frames / max(sum(self.durations_s[WHOLE]), 1e-9)


def play(
    frames: Iterator[Frame],
    contenders: Sequence[Contender],
    reached: Callable[[float], None] = lambda _: None,
) -> list[Pass]:
    """Play `frames` once through each contender, alternating after each chunk of footage.

    The order is reversed after each chunk, so that no contender is always first. After each chunk
    `reached` is called with the time of its last frame, in seconds. Exceptions of the frame
    source are passed on.
    """
    costs = [StageCosts() for _ in contenders]
    for contender, cost in zip(contenders, costs, strict=True):
        contender.begin(cost)
    turns = list(zip(contenders, costs, strict=True))
    times_s: list[float] = []
    for chunk in chunks(frames):
        for contender, cost in turns:
            for frame in filter(contender.wants, chunk):
                with cost.measure(WHOLE):
                    contender.process(frame)
        turns.reverse()
        times_s += [frame.captured_at_s for frame in chunk]
        reached(times_s[-1])
    for contender in contenders:
        contender.end()
    shown_s = footage_s(times_s)
    return [Pass(len(c.durations_s[WHOLE]), shown_s, c.durations_s, c.cpu_s) for c in costs]


def chunks(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """Yield `frames` in lists of at most `CHUNK_BYTES`, but at least one frame."""
    chunk: list[Frame] = []
    for frame in frames:
        chunk.append(frame)
        if (len(chunk) + 1) * frame.image_bgr.nbytes > CHUNK_BYTES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def footage_s(times_s: Sequence[float]) -> float:
    """Return the length of footage with frames at `times_s`; the last frame has the mean length."""
    if len(times_s) < 2:
        return LONE_FRAME_S * len(times_s)
    return (times_s[-1] - times_s[0]) * len(times_s) / (len(times_s) - 1)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Limit OpenCV to one thread while `with` lasts, so that contenders are comparable."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
