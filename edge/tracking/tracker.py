"""Which face is which person: readings of single frames become tracks over time.

How well that goes was measured on imagined walks (`tests/support/trajectories.py`, 1,000 of each at
10 frames a second, 6 to 20 seconds long), counted as people who got a second number or another
person's. The detector's jitter is the standard deviation of the box's place and width:

| jitter, missed, and not seen at all for | one walks | two abreast | two cross | one passes one |
|---|---|---|---|---|
| 3%, 10%, 0.3 s | 0 | 0 | 0 | 1 |
| 6%, 30%, - | 0 | 0 | 1 | 53 |
| 6%, 30%, 1 s | 0 | 1 | 75 | 151 |
| 10%, 30%, 1 s | 3 | 10 | 215 | 424 |

Walks are at 0.3 to 1.5 face widths a second, and who passes somebody standing does so at 0.5
to 1.5; from 1.0 on 10 instead of 53 fail. At 3 frames a second it holds for the first row (up
to 12 in 1,000), and no longer where 30% are missed: six frames in a row are `leave_after_s`.
Who comes within `leave_after_s` to the place where somebody left is taken for them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge.classification.classifier import Scores
from edge.common.arrays import Box
from edge.config.settings import TrackerSettings
from edge.tracking.alpha_beta_filter import Motion
from edge.tracking.assignment import assign
from edge.tracking.weighted_median import weighted_median

#: A face may be this far from where its track expects it, in face widths, at once …
REACH = 0.8
#: … and this much farther for each second that it was not seen: a brisk walk across
#: the picture moves a head by about one and a half of its widths a second.
REACH_PER_S = 1.5
#: No farther than this, however long the gap: beyond it, it is somebody else.
MAX_REACH = 1.8
#: Two boxes of one person differ at most by this factor in width from frame to frame.
MAX_GROWTH = math.log(1.8)
#: What a difference in size weighs against one in place, both as shares of the width.
GROWTH_COST = 0.5
#: Of two people so near each other (in face widths) the detector gives one box: it drops a
#: box whose centre lies in another.
HIDDEN_BEHIND = 0.6
#: Only a person seen so often, and not longer ago than this, can be thought hidden behind
#: another; a false box beside a face cannot.
HIDDEN_AFTER_SIGHTINGS = 3
HIDDEN_FOR_S = 2.5
#: A box this much larger or smaller than its track's is no crop of the same face any more:
#: measured on held-out photographs, boxes at 1.5 and 0.6 of the right size cost 8 and 6
#: points of the bare faces found, at 1.75 and 0.5 40 and 14.
ODD_GROWTH = math.log(1.6)
#: Weights are added up in floating point: four times a whole one is four all the same.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Reading:
    """One classification: the face at `box_px` (x, y, width, height in frame pixels).

    `scores` is None where the model was not asked: then it shows where a person is and says
    nothing of the label. `weight`, 0 to 1, says how good it is as evidence
    (`edge.tracking.face_quality`); at 0 it says nothing of the label either.
    """

    box_px: Box
    scores: Scores | None
    at_s: float
    weight: float = 1.0

    def score(self, labels: Sequence[str]) -> float:
        """What the model gave `labels` together, nothing for one that it does not know.

        Raises ValueError when it was not asked.
        """
        if self.scores is None:
            raise ValueError("this face was seen and not classified")
        return sum(self.scores.by_label.get(label, 0.0) for label in labels)


@dataclass(frozen=True)
class Track:
    """One person as known now.

    `evidence` holds the readings of the smoothing window that have weight, oldest first;
    `sightings` counts all readings since the first; times are on the clock of the frames.
    """

    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    evidence: tuple[Reading, ...]
    sightings: int

    @property
    def readings(self) -> int:
        """How many readings the label rests on."""
        return len(self.evidence)

    @property
    def weight(self) -> float:
        """What these readings weigh together."""
        return sum(reading.weight for reading in self.evidence)

    def decides(self, at_least: float) -> bool:
        """Whether the readings weigh `at_least`."""
        return self.weight >= at_least - ROUNDING

    @property
    def judged_s(self) -> float:
        """When the newest of them was made; minus infinity when there is none."""
        return self.evidence[-1].at_s if self.evidence else -math.inf

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that can be asked for; none while there is no evidence."""
        scores = self.evidence[-1].scores if self.evidence else None
        return tuple(scores.by_label) if scores else ()

    def score(self, labels: Sequence[str]) -> float:
        """Weighted median of what the readings give `labels` together, 0 to 1.

        A label that the model does not know gets nothing.
        Raises ValueError while there is no evidence.
        """
        return weighted_median((reading.score(labels), reading.weight) for reading in self.evidence)

    def label(self, among: Sequence[str] = ()) -> str:
        """The label (of `among`, or of all) with the largest median."""
        return max(among or self.labels, key=lambda label: self.score((label,)))


@dataclass
class _Person:
    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    placed_s: float
    motion: Motion
    hidden_s: float = -math.inf
    sightings: int = 0
    window: deque[Reading] = field(default_factory=deque)

    def cost(self, reading: Reading) -> float:
        """How badly `reading` fits; infinite when it cannot be this person."""
        growth = abs(self.motion.grown(reading.box_px))
        off = self.motion.off(reading.box_px, reading.at_s)
        gap_s = reading.at_s - self.placed_s
        reach = min(MAX_REACH, REACH + REACH_PER_S * gap_s)
        if growth > MAX_GROWTH or off > reach:
            return math.inf
        return off + GROWTH_COST * growth

    def may_hide_behind(self, reading: Reading) -> bool:
        return (
            self.sightings >= HIDDEN_AFTER_SIGHTINGS
            and reading.at_s - self.placed_s <= HIDDEN_FOR_S
            and self.motion.off(reading.box_px, reading.at_s) <= HIDDEN_BEHIND
        )

    def take(self, reading: Reading, settings: TrackerSettings, at_least: float) -> None:
        odd = abs(self.motion.grown(reading.box_px)) > ODD_GROWTH
        if self.sightings:
            self.motion.take(reading.box_px, reading.at_s)
        self.sightings += 1
        self.box_px = reading.box_px
        self.last_seen_s = self.placed_s = reading.at_s
        if reading.scores is not None and reading.weight > 0.0 and not odd:
            self.window.append(reading)
        self._forget(reading.at_s - settings.window_s, at_least)

    def share(self, reading: Reading) -> None:
        """Be seen in a box that may as well be somebody else's."""
        self.motion.coast(reading.at_s)
        self.sightings += 1
        self.box_px, self.last_seen_s = reading.box_px, reading.at_s

    def hide(self, now_s: float) -> None:
        """Be thought behind somebody else."""
        self.motion.coast(now_s)
        self.hidden_s = now_s

    def _forget(self, before_s: float, at_least: float) -> None:
        weight = sum(reading.weight for reading in self.window)
        while self.window and self.window[0].at_s < before_s:
            weight -= self.window[0].weight
            if weight < at_least:
                break
            self.window.popleft()

    def snapshot(self) -> Track:
        return Track(
            self.number,
            self.box_px,
            self.first_seen_s,
            self.last_seen_s,
            tuple(self.window),
            self.sightings,
        )


class Tracker:
    """Gives each person one number from the first frame to the last.

    Every frame, the known persons and the new readings are joined so that they fit best
    together: by the distance between the expected and the seen place and the difference in
    size, both in face widths. (Of square boxes these two say what their overlap, IoU, says,
    and still tell near from far where there is none: a brisk walker at 3 frames a second.)
    What is left over starts a new person; a person not seen for `leave_after_s` has left.
    While two people share one box, as when they cross, the box moves neither of them and
    says nothing of a label: each keeps its course until there are two boxes again.
    """

    def __init__(self, settings: TrackerSettings, at_least: float = 1.0) -> None:
        """Start with nobody there.

        The newest readings that weigh `at_least` together stay in the window however old
        they are, so that a slow machine, too, comes to as many as a decision needs.
        """
        self._settings = settings
        self._at_least = at_least
        self._people: list[_Person] = []
        self._count = 0

    def change(self, settings: TrackerSettings, at_least: float) -> None:
        """Go on with other settings; everybody keeps their number and readings."""
        self._settings = settings
        self._at_least = at_least

    def forget_labels(self) -> None:
        """Drop all evidence, as when another model takes over; everybody keeps their number."""
        for person in self._people:
            person.window.clear()

    def cut(self) -> None:
        """Forget everybody: the next frame shows something else. Numbers go on."""
        self._people.clear()

    def present(self) -> list[Track]:
        """Everybody present, oldest first, as of the last `update`."""
        return [person.snapshot() for person in self._people]

    def expected(self, at_s: float) -> list[Box]:
        """Where the faces of everybody present should be at `at_s`, pixels; oldest first."""
        found = []
        for person in self._people:
            (x, y), side = person.motion.expected(at_s), person.motion.side_px
            found.append((x - side / 2.0, y - side / 2.0, side, side))
        return found

    def recognised(self, boxes_px: Sequence[Box], at_s: float) -> list[int | None]:
        """Whose each of `boxes_px` will be, by number, when `update` is told of them all."""
        joined = self._join([Reading(box, None, at_s) for box in boxes_px])
        owners = {column: number for number, column in joined.items()}
        return [owners.get(index) for index in range(len(boxes_px))]

    def update(self, readings: Iterable[Reading], now_s: float) -> list[Track]:
        """Take the readings of the frame of `now_s`; everybody present, oldest first.

        `now_s` must not run backwards.
        """
        self._people = [
            p
            for p in self._people
            if now_s - max(p.last_seen_s, p.hidden_s) <= self._settings.leave_after_s
        ]
        seen = list(readings)
        joined = self._join(seen)
        unseen = [p for p in self._people if p.number not in joined]
        for person in self._people:
            if person.number in joined:
                reading = seen[joined[person.number]]
                hidden = [other for other in unseen if other.may_hide_behind(reading)]
                if hidden:
                    person.share(reading)
                    for other in hidden:
                        other.hide(now_s)
                else:
                    person.take(reading, self._settings, self._at_least)
        for index, reading in enumerate(seen):
            if index not in joined.values():
                self._add(reading)
        return self.present()

    def _join(self, seen: Sequence[Reading]) -> dict[int, int]:
        """The index of the reading of each person, by the person's number."""
        pairs = assign([[person.cost(reading) for reading in seen] for person in self._people])
        return {self._people[row].number: column for row, column in pairs.items()}

    def _add(self, reading: Reading) -> None:
        self._count += 1
        person = _Person(
            self._count,
            reading.box_px,
            reading.at_s,
            reading.at_s,
            reading.at_s,
            Motion(reading.box_px, reading.at_s),
        )
        person.take(reading, self._settings, self._at_least)
        self._people.append(person)
