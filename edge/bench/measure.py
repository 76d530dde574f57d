"""Contenders play the same frames in turn; what each of them spends is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import cv2

from edge.bench.stage_costs import WHOLE, StageCosts
from edge.camera.source import Frame

#: Frames are decoded outside of what is measured, so many bytes at a time: a Pi's memory holds
#: them, and each contender runs for so long that the caches are its own.
CHUNK_BYTES = 32 * 2**20
#: Footage of a clip of a single frame: one at the daemon's usual ten a second.
LONE_FRAME_S = 0.1


class Contender(Protocol):
    """A pipeline that can be fed with frames."""

    name: str
    runtime: str
    model_bytes: int

    def begin(self, costs: StageCosts) -> None:
        """A clip begins; `costs` is fed with what the stages take."""

    def wants(self, frame: Frame) -> bool:
        """Whether `frame` is to be processed, or left out for the rate's sake."""

    def process(self, frame: Frame) -> None:
        """All that is to be done with `frame`."""

    def end(self) -> None:
        """The clip is over."""

    @property
    def found(self) -> str:
        """What the clip has brought so far, for people."""


@dataclass(frozen=True)
class Pass:
    """What one contender spent on one clip, in which it wanted `frames` frames.

    `durations_s` of each run of a stage; `cpu_s` of each stage without those within it, and
    under `WHOLE` what lies between them.
    """

    frames: int
    footage_s: float
    durations_s: dict[str, list[float]]
    cpu_s: dict[str, float]

    @property
    def total_cpu_s(self) -> float:
        """Processor time of everything."""
        return sum(self.cpu_s.values())

    @property
    def cpu_s_per_minute(self) -> float:
        """Processor time for a minute of footage."""
        return 60.0 * self.total_cpu_s / self.footage_s

    @property
    def cpu_ms_per_frame(self) -> float:
        """Processor time for a frame, on average."""
        return 1000.0 * self.total_cpu_s / self.frames

    @property
    def frames_per_s(self) -> float:
        """Flat out: frames in a second of nothing else."""
        return self.frames / max(sum(self.durations_s[WHOLE]), 1e-9)


def play(
    frames: Iterator[Frame],
    contenders: Sequence[Contender],
    reached: Callable[[float], None] = lambda _: None,
) -> list[Pass]:
    """One pass of each contender over `frames`, in turns of a second or so of footage.

    Whoever begins a turn ends the next one. `reached` is told after each turn the time of its
    last frame, in seconds. What reads the frames raises comes through.
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
    """`frames` in lists of at most `CHUNK_BYTES`, of one frame at least."""
    chunk: list[Frame] = []
    for frame in frames:
        chunk.append(frame)
        if (len(chunk) + 1) * frame.image_bgr.nbytes > CHUNK_BYTES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def footage_s(times_s: Sequence[float]) -> float:
    """How long frames of `times_s` are shown, the last one as long as the others on average."""
    if len(times_s) < 2:
        return LONE_FRAME_S * len(times_s)
    return (times_s[-1] - times_s[0]) * len(times_s) / (len(times_s) - 1)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """OpenCV computes on one thread as long as `with` lasts: both contenders have as much."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
