"""The state of one track from frame to frame: motion, evidence, and when it was last seen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge.common.arrays import Box
from edge.config.settings import TrackerSettings
from edge.tracking.alpha_beta_filter import AlphaBetaFilter, Place, distance, log_growth
from edge.tracking.track import Reading, Track

#: Largest distance, in face widths, between a face and the predicted position of its track, before
#: the increase for the time since the track was last seen.
REACH = 0.8
#: Increase of the largest distance per second since the track was last seen, for people who start
#: to walk towards the camera, turn, or sway.
REACH_PER_S = 1.5
#: Speed in face widths per second that a person can have or lose between two frames: a walk across
#: the frame, of 1.4 m/s, with boxes 0.16 m wide. A person who has been seen once may walk at this
#: speed, and one who walks may stop.
WALKING_SPEED = 9.0
#: Maximum of the increased distance: a face farther away belongs to another person, however long
#: the gap.
MAX_REACH = 1.8
#: Largest factor between the width of a face and that of its track, as a logarithm.
MAX_GROWTH = math.log(1.8)
#: Weight of the difference in size relative to that in position, both in face widths.
GROWTH_COST = 0.5
#: Two people who are closer than this, in face widths, get one box: the detector drops a box
#: whose centre lies in another.
HIDDEN_BEHIND = 0.6
#: A person can be regarded as hidden behind another person with at least this many sightings, and
#: for at most this many seconds after the last box of their own. The required sightings exclude
#: false boxes beside a face.
HIDDEN_AFTER_SIGHTINGS = 3
HIDDEN_FOR_S = 2.5
#: A box whose width differs from that of its track by more than this factor (as a logarithm) is not
#: used as evidence, because the crop no longer frames the face. Measured on held-out photographs:
#: with boxes of 1.5 and 0.6 times the right size, 8 and 6 percentage points fewer of the bare faces
#: are found; with boxes of 1.75 and 0.5 times the right size, 40 and 14 percentage points fewer are
#: found.
ODD_GROWTH = math.log(1.6)


@dataclass
class TrackState:
    """One person who is being tracked.

    `own_box_s` is the time of the last box that belonged to this person alone; `hidden_s` is the
    last time at which the person was regarded as hidden behind another person; `classified_s` is
    that of the last classification; `window` holds the evidence, oldest first.
    """

    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    own_box_s: float
    motion: AlphaBetaFilter
    hidden_s: float = -math.inf
    classified_s: float = -math.inf
    sightings: int = 0
    window: deque[Reading] = field(default_factory=deque)

    def match_costs(self, places: Sequence[Place], at_s: float) -> list[float]:
        """Return the cost of assigning the face at each of `places` to this track.

        `at_s` is the time of all of them; the cost is infinite if a face cannot match.
        """
        expected, speed = self.motion.place(at_s), self.motion.speed
        change = WALKING_SPEED if speed is None else min(speed, WALKING_SPEED)
        reach = min(MAX_REACH, REACH + (REACH_PER_S + change) * (at_s - self.own_box_s))
        # No face that can match is farther away horizontally: this saves most of the work in a
        # crowd.
        reach_px = reach * math.exp(expected[2] + MAX_GROWTH / 2.0)
        costs = []
        for place in places:
            cost = math.inf
            if abs(place[0] - expected[0]) <= reach_px:
                growth, off = abs(log_growth(expected, place)), distance(expected, place)
                if growth <= MAX_GROWTH and off <= reach:
                    cost = off + GROWTH_COST * growth
            costs.append(cost)
        return costs

    def can_hide_behind(self, reading: Reading) -> bool:
        """Whether the person can be hidden behind the face of `reading`."""
        return (
            self.sightings >= HIDDEN_AFTER_SIGHTINGS
            and reading.at_s - self.own_box_s <= HIDDEN_FOR_S
            and self.motion.distance(reading.box_px, reading.at_s) <= HIDDEN_BEHIND
        )

    def update(self, reading: Reading, settings: TrackerSettings, min_weight: float) -> None:
        """Add a reading whose box belongs to this person alone."""
        odd = abs(self.motion.log_growth(reading.box_px)) > ODD_GROWTH
        if self.sightings:
            self.motion.update(reading.box_px, reading.at_s)
        self.sightings += 1
        self.box_px = reading.box_px
        self.last_seen_s = self.own_box_s = reading.at_s
        self._note_classification(reading)
        if reading.scores is not None and reading.weight > 0.0 and not odd:
            self.window.append(reading)
        self._drop_old_evidence(reading.at_s - settings.window_s, min_weight)

    def share_box(self, reading: Reading) -> None:
        """Add a reading whose box may belong to another person: no evidence, no motion update."""
        self.motion.coast(reading.at_s)
        self.sightings += 1
        self.box_px, self.last_seen_s = reading.box_px, reading.at_s
        self._note_classification(reading)

    def hide(self, now_s: float) -> None:
        """Regard the person as hidden behind another person at `now_s`."""
        self.motion.coast(now_s)
        self.hidden_s = now_s

    def rescale(self, x_factor: float, y_factor: float) -> None:
        """Convert all places to the pixels of a frame that is larger by these factors."""
        self.motion.rescale(x_factor, y_factor)
        self.box_px = scaled_box(self.box_px, x_factor, y_factor)
        for index, reading in enumerate(self.window):
            box_px = scaled_box(reading.box_px, x_factor, y_factor)
            self.window[index] = replace(reading, box_px=box_px)

    def to_track(self) -> Track:
        """Return an immutable copy."""
        return Track(
            self.number,
            self.box_px,
            self.first_seen_s,
            self.last_seen_s,
            tuple(self.window),
            self.sightings,
            self.classified_s,
        )

    def _note_classification(self, reading: Reading) -> None:
        if reading.scores is not None:
            self.classified_s = reading.at_s

    def _drop_old_evidence(self, before_s: float, min_weight: float) -> None:
        """Drop readings from before `before_s`, but keep a total weight of `min_weight`."""
        weight = sum(reading.weight for reading in self.window)
        while self.window and self.window[0].at_s < before_s:
            weight -= self.window[0].weight
            if weight < min_weight:
                break
            self.window.popleft()


def scaled_box(box_px: Box, x_factor: float, y_factor: float) -> Box:
    """Return `box_px` in the pixels of a frame that is larger by these factors."""
    x, y, width, height = box_px
    return x * x_factor, y * y_factor, width * x_factor, height * y_factor
