"""Simulated people who walk through a frame, as a noisy detector sees them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.classification.classifier import Scores
from edge.config.settings import TrackerSettings
from edge.tracking.track import Reading
from edge.tracking.tracker import Tracker

#: Width of a face in pixels. The speeds below are in face widths a second.
FACE_PX = 60.0
#: Number of frames at the start in which every face is found, so that everybody has a track.
CERTAIN_FRAMES = 3

#: Returns where a face is at a time in seconds: x and y of its centre and its width, all in face
#: widths.
Path = Callable[[float], tuple[float, float, float]]


@dataclass(frozen=True)
class Noise:
    """The errors of the detector.

    `jitter` is the standard deviation, in face widths, of the centre of a box in each direction,
    and of the logarithm of its width. `missed` is the share of faces that are not found. `gap_s`
    is the length of one period in which a person is not found at all.
    """

    jitter: float
    missed: float
    gap_s: float


@dataclass(frozen=True)
class TrackNumbers:
    """The track numbers of each person, in order, in the frames in which all people are visible."""

    by_person: Sequence[Sequence[int]]

    @property
    def splits(self) -> int:
        """The number of people who had more than one track number."""
        return sum(len(set(numbers)) > 1 for numbers in self.by_person)

    @property
    def swaps(self) -> int:
        """The number of track numbers that more than one person had."""
        held = [number for numbers in self.by_person for number in set(numbers)]
        return len(held) - len(set(held))

    @property
    def are_consistent(self) -> bool:
        """Whether each person had one track number that no other person had."""
        return self.splits == 0 and self.swaps == 0


def simulate(
    people: Sequence[Path], duration_s: float, fps: float, noise: Noise, chance: random.Random
) -> TrackNumbers:
    """Track `people`, who are all in view, for `duration_s` seconds.

    If the centre of one face lies in the box of another, only the larger (nearer) face is found,
    as in `edge.detection.face_detector.without_overlaps`; the track numbers in such frames are not
    recorded.
    """
    tracker = Tracker(TrackerSettings())
    numbers: list[list[int]] = [[] for _ in people]
    gaps_s = [chance.uniform(1.0, duration_s - 2.0) for _ in people]
    for step in range(round(duration_s * fps)):
        at_s = step / fps
        positions = [path(at_s) for path in people]
        visible = _visible(positions)
        found: dict[int, Reading] = {}
        for index in visible:
            in_gap = gaps_s[index] <= at_s < gaps_s[index] + noise.gap_s
            missed = chance.random() < noise.missed or in_gap
            if step < CERTAIN_FRAMES or not missed:
                found[index] = _reading(positions[index], at_s, noise.jitter, chance)
        tracks = tracker.update(list(found.values()), at_s)
        if len(visible) < len(people):
            continue
        for index, reading in found.items():
            numbers[index] += [t.number for t in tracks if t.box_px is reading.box_px]
    return TrackNumbers(numbers)


def straight(x: float, y: float, across: float, down: float = 0.0, width: float = 1.0) -> Path:
    """Return a path from (x, y), in face widths, at the constant speed (across, down)."""
    return lambda at_s: (x + across * at_s, y + down * at_s, width)


def _visible(positions: Sequence[tuple[float, float, float]]) -> list[int]:
    return [
        index
        for index, (x, y, w) in enumerate(positions)
        if not any(
            (other_w, -other) > (w, -index)
            and max(abs(x - other_x), abs(y - other_y)) < max(w, other_w) / 2
            for other, (other_x, other_y, other_w) in enumerate(positions)
            if other != index
        )
    ]


def _reading(
    position: tuple[float, float, float], at_s: float, jitter: float, chance: random.Random
) -> Reading:
    x, y, true_width = (FACE_PX * value for value in position)
    width = true_width * math.exp(chance.gauss(0.0, jitter))
    left = x + chance.gauss(0.0, jitter) * true_width - width / 2
    top = y + chance.gauss(0.0, jitter) * true_width - width / 2
    return Reading((left, top, width, width), Scores({"mask": 0.1, "no_mask": 0.9}), at_s)
