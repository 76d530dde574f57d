"""Which face is which person: readings of single frames become tracks over time."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge.classifier import Scores
from edge.config import TrackerSettings
from edge.framing import Box

#: A face may be this far from where its track expects it, in face widths, at once …
REACH = 0.6
#: … and this much farther for each second that it was not seen: a brisk walk across
#: the picture moves a head by about one and a half of its widths a second.
REACH_PER_S = 1.5
#: No farther than this, however long the gap: beyond it, it is somebody else.
MAX_REACH = 1.8
#: Two boxes of one person differ at most by this factor in width from frame to frame.
MAX_SIZE_RATIO = 1.8
#: Share of the newest displacement in the smoothed velocity; detector boxes jitter.
VELOCITY_GAIN = 0.3
#: A velocity older than this is not trusted any more: people stop.
MAX_EXTRAPOLATION_S = 0.5


@dataclass(frozen=True)
class Reading:
    """One classification: the face at `box_px` (x, y, width, height in frame pixels)."""

    box_px: Box
    scores: Scores
    at_s: float


@dataclass(frozen=True)
class Track:
    """One person as known now.

    `scores` holds each label's median over the `readings` newest readings (those of
    the smoothing window); times are on the clock of the frames.
    """

    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    readings: int
    scores: Mapping[str, float]


@dataclass
class _Person:
    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    window: deque[Reading] = field(default_factory=deque)

    def expected_centre(self, at_s: float) -> tuple[float, float]:
        ahead_s = min(at_s - self.last_seen_s, MAX_EXTRAPOLATION_S)
        cx, cy = _centre(self.box_px)
        return cx + self.velocity[0] * ahead_s, cy + self.velocity[1] * ahead_s

    def distance(self, reading: Reading) -> float:
        """How badly `reading` fits, in face widths; infinite when it cannot be this person."""
        width, other = self.box_px[2], reading.box_px[2]
        if max(width, other) > MAX_SIZE_RATIO * min(width, other):
            return math.inf
        ex, ey = self.expected_centre(reading.at_s)
        cx, cy = _centre(reading.box_px)
        apart = math.hypot(cx - ex, cy - ey) / math.sqrt(width * other)
        gap_s = reading.at_s - self.last_seen_s
        return apart if apart <= min(MAX_REACH, REACH + REACH_PER_S * gap_s) else math.inf

    def take(self, reading: Reading, window_s: float, at_least: int) -> None:
        gap_s = reading.at_s - self.last_seen_s
        if gap_s > 0.0:
            (ox, oy), (cx, cy) = _centre(self.box_px), _centre(reading.box_px)
            vx, vy = self.velocity
            self.velocity = (
                vx + VELOCITY_GAIN * ((cx - ox) / gap_s - vx),
                vy + VELOCITY_GAIN * ((cy - oy) / gap_s - vy),
            )
        self.box_px, self.last_seen_s = reading.box_px, reading.at_s
        self.window.append(reading)
        while len(self.window) > at_least and reading.at_s - self.window[0].at_s > window_s:
            self.window.popleft()

    def snapshot(self) -> Track:
        labels = self.window[-1].scores.by_label
        medians = {
            label: statistics.median(r.scores.by_label[label] for r in self.window)
            for label in labels
        }
        return Track(
            self.number,
            self.box_px,
            self.first_seen_s,
            self.last_seen_s,
            len(self.window),
            medians,
        )


class Tracker:
    """Gives each person one number from the first frame to the last.

    Every frame, the pairs of known persons and new readings are joined nearest
    first, by the distance between the expected and the seen position in face
    widths. What is left over starts a new person; a person not seen for
    `leave_after_s` has left.
    """

    def __init__(self, settings: TrackerSettings, at_least: int = 1) -> None:
        """Start with nobody there.

        The newest `at_least` readings stay in the window however old they are, so that
        a slow machine, too, comes to as many as a decision needs.
        """
        self._settings = settings
        self._at_least = at_least
        self._people: list[_Person] = []
        self._count = 0

    def update(self, readings: Iterable[Reading], now_s: float) -> list[Track]:
        """Take the readings of the frame of `now_s`; everybody present, oldest first.

        `now_s` must not run backwards.
        """
        self._people = [
            p for p in self._people if now_s - p.last_seen_s <= self._settings.leave_after_s
        ]
        free = list(readings)
        pairs = sorted(
            (distance, person.number, index)
            for person in self._people
            for index, reading in enumerate(free)
            if (distance := person.distance(reading)) < math.inf
        )
        by_number = {person.number: person for person in self._people}
        taken: set[int] = set()
        for _, number, index in pairs:
            if number in by_number and index not in taken:
                by_number.pop(number).take(free[index], self._settings.window_s, self._at_least)
                taken.add(index)
        for index, reading in enumerate(free):
            if index not in taken:
                self._add(reading)
        return [person.snapshot() for person in self._people]

    def _add(self, reading: Reading) -> None:
        self._count += 1
        person = _Person(self._count, reading.box_px, reading.at_s, reading.at_s)
        person.take(reading, self._settings.window_s, self._at_least)
        self._people.append(person)


def _centre(box_px: Box) -> tuple[float, float]:
    return box_px[0] + box_px[2] / 2.0, box_px[1] + box_px[3] / 2.0
