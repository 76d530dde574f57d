"""People walking through an imagined frame, and what a noisy detector makes of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.classification.classifier import Scores
from edge.config.settings import TrackerSettings
from edge.tracking.track import Reading
from edge.tracking.tracker import Tracker

#: Width of a face, pixels; speeds below are in face widths a second.
FACE_PX = 60.0
FIRST_SURE = 3  # frames in which everybody is found, so that everybody has a track

#: Where a face is at a time: x and y of its centre and its width, all in face widths.
Path = Callable[[float], tuple[float, float, float]]


@dataclass(frozen=True)
class Noise:
    """What the detector adds: `jitter` is the standard deviation of a box's centre (in each
    direction) and of the logarithm of its width, in face widths; `missed` the share of faces
    not found; `gap_s` a time in which each person is not found at all, once."""

    jitter: float
    missed: float
    gap_s: float


@dataclass(frozen=True)
class Told:
    """Which track numbers each person had, in order, while they could be told apart."""

    numbers: Sequence[Sequence[int]]

    @property
    def splits(self) -> int:
        """People with more than one number."""
        return sum(len(set(each)) > 1 for each in self.numbers)

    @property
    def swaps(self) -> int:
        """Numbers that more than one person had."""
        held = [number for each in self.numbers for number in set(each)]
        return len(held) - len(set(held))


def track(
    people: Sequence[Path], lasts_s: float, fps: float, noise: Noise, chance: random.Random
) -> Told:
    """Follow `people` for `lasts_s`, all of them in view.

    Where the centre of one face lies in the other's box, only the larger (nearer) one is found,
    as `edge.detection.face_detector.without_overlaps` has it; who has the box then is not asked.
    """
    tracker = Tracker(TrackerSettings())
    numbers: list[list[int]] = [[] for _ in people]
    gaps_s = [chance.uniform(1.0, lasts_s - 2.0) for _ in people]
    for step in range(round(lasts_s * fps)):
        at_s = step / fps
        places = [path(at_s) for path in people]
        visible = _visible(places)
        found: dict[int, Reading] = {}
        for index in visible:
            in_gap = gaps_s[index] <= at_s < gaps_s[index] + noise.gap_s
            missed = chance.random() < noise.missed or in_gap
            if step < FIRST_SURE or not missed:
                found[index] = _reading(places[index], at_s, noise.jitter, chance)
        tracks = tracker.update(list(found.values()), at_s)
        if len(visible) < len(people):
            continue
        for index, reading in found.items():
            numbers[index] += [t.number for t in tracks if t.box_px is reading.box_px]
    return Told(numbers)


def straight(x: float, y: float, across: float, down: float = 0.0, width: float = 1.0) -> Path:
    """From (x, y) at a constant speed of `across` and `down`, in face widths (a second)."""
    return lambda at_s: (x + across * at_s, y + down * at_s, width)


def _visible(places: Sequence[tuple[float, float, float]]) -> list[int]:
    return [
        index
        for index, (x, y, w) in enumerate(places)
        if not any(
            (other_w, -other) > (w, -index)
            and max(abs(x - other_x), abs(y - other_y)) < max(w, other_w) / 2
            for other, (other_x, other_y, other_w) in enumerate(places)
            if other != index
        )
    ]


def _reading(
    place: tuple[float, float, float], at_s: float, jitter: float, chance: random.Random
) -> Reading:
    x, y, true_width = (FACE_PX * value for value in place)
    width = true_width * math.exp(chance.gauss(0.0, jitter))
    left = x + chance.gauss(0.0, jitter) * true_width - width / 2
    top = y + chance.gauss(0.0, jitter) * true_width - width / 2
    return Reading((left, top, width, width), Scores({"mask": 0.1, "no_mask": 0.9}), at_s)
