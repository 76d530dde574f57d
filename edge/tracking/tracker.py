"""The tracker: joins the faces of single frames into one track per person.

The error rate was measured on simulated walks (`tests/support/footage/trajectories.py`): 1,000
walks of each kind, 6 to 20 seconds long, at 10 frames a second. The table gives the number of
people who were given a second track number or the number of another person. Jitter is the standard
deviation of the position and of the width of a box, in face widths; missed is the share of faces
that the detector does not find; gap is a period in which each person is not found at all:

| jitter, missed, gap | one walks | two walk abreast | two cross | one passes a standing person |
|---|---|---|---|---|
| 3%, 10%, 0.3 s | 0 | 0 | 0 | 1 |
| 6%, 30%, none | 0 | 0 | 1 | 53 |
| 6%, 30%, 1 s | 0 | 1 | 75 | 151 |
| 10%, 30%, 1 s | 3 | 10 | 215 | 424 |

In the table people walk at 0.3 to 1.5 face widths a second, and at 0.5 to 1.5 when they pass a
standing person. If the people who pass walk at 1.0 face widths a second or faster, the number 53 in
the second row becomes 10. At 3 frames a second the errors in the first row stay rare (up to 12 in
1,000), but not in the rows with 30% of the faces missed, because six missed frames in a row last as
long as `tracker.leave_after_s`.

People who walk across the frame are faster: up to 9 face widths a second. Of 500 walks of each kind
at 4 to 9 face widths a second and 10 frames a second, with a jitter of 6% and 30% of the faces
missed, nobody got a second number who walked alone, abreast, towards another person or past a
standing one, but 42 of 500 people who suddenly stopped did; with a jitter of 3% and 10% missed, 3
did. At 3 frames a second most people who walk across get several numbers.

A person who arrives within `tracker.leave_after_s` at the place where another person left continues
the track of the person who left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.common.arrays import Box
from edge.config.settings import TrackerSettings
from edge.tracking.alpha_beta_filter import AlphaBetaFilter, place_of
from edge.tracking.assignment import assign
from edge.tracking.track import Reading, Track
from edge.tracking.track_state import TrackState


class Tracker:
    """Gives each person one track number from the first frame to the last.

    In every frame, readings are assigned to tracks at the lowest total cost: the distance between
    the predicted and the detected position, and the difference in size, both in face widths. For
    square boxes these two determine the overlap (IoU); unlike the overlap, they also distinguish
    near from far boxes that do not overlap, such as those of a brisk walker at 3 frames a second. A
    reading without a track starts a new track; a track that has had no reading for
    `tracker.leave_after_s` ends. While two people share one
    box, for example when they cross, the box updates neither motion filter and is no evidence for
    a label: both tracks continue at their last speed until there are two boxes again.
    """

    def __init__(self, settings: TrackerSettings, min_weight: float = 1.0) -> None:
        """Start without tracks.

        The newest readings with a total weight of `min_weight` stay in the window at any age, so
        that a slow machine also collects as many readings as a decision needs.
        """
        self._settings = settings
        self._min_weight = min_weight
        self._states: list[TrackState] = []
        self._count = 0

    def change(self, settings: TrackerSettings, min_weight: float) -> None:
        """Replace the settings; all tracks keep their number and their readings."""
        self._settings = settings
        self._min_weight = min_weight

    def drop_evidence(self) -> None:
        """Drop all evidence, as after a change of the model; all tracks keep their number."""
        for state in self._states:
            state.window.clear()

    def reset(self) -> None:
        """Drop all tracks, as after a scene cut; the numbering continues."""
        self._states.clear()

    def rescale(self, x_factor: float, y_factor: float) -> None:
        """Convert all tracks to the pixels of a frame that is larger by these factors.

        A camera may change the size of its frames while people are in view.
        """
        for state in self._states:
            state.rescale(x_factor, y_factor)

    def tracks(self) -> list[Track]:
        """Return all current tracks as of the last `update`, oldest first."""
        return [state.to_track() for state in self._states]

    def predict_boxes(self, at_s: float) -> list[Box]:
        """Return the predicted box of each track at `at_s` in pixels, oldest track first."""
        boxes = []
        for state in self._states:
            (x, y), side = state.motion.predict(at_s), state.motion.side_px
            boxes.append((x - side / 2.0, y - side / 2.0, side, side))
        return boxes

    def match(self, boxes_px: Sequence[Box], at_s: float) -> list[int | None]:
        """Return the track number to which `update` would assign each box; None: a new track."""
        matches = self._match(boxes_px, at_s)
        numbers = {column: number for number, column in matches.items()}
        return [numbers.get(index) for index in range(len(boxes_px))]

    def update(self, readings: Iterable[Reading], now_s: float) -> list[Track]:
        """Add the readings of the frame of `now_s`; return all current tracks, oldest first.

        All readings are of `now_s`, which must not decrease from call to call.
        """
        self._states = [
            state
            for state in self._states
            if now_s - max(state.last_seen_s, state.hidden_s) <= self._settings.leave_after_s
        ]
        found = list(readings)
        matches = self._match([reading.box_px for reading in found], now_s)
        unmatched = [state for state in self._states if state.number not in matches]
        for state in self._states:
            if state.number in matches:
                reading = found[matches[state.number]]
                hidden = [other for other in unmatched if other.can_hide_behind(reading)]
                if hidden:
                    state.share_box(reading)
                    for other in hidden:
                        other.hide(now_s)
                else:
                    state.update(reading, self._settings, self._min_weight)
        for index, reading in enumerate(found):
            if index not in matches.values():
                self._add(reading)
        return self.tracks()

    def _match(self, boxes_px: Sequence[Box], at_s: float) -> dict[int, int]:
        """Return the index of the box of each matched track, by track number."""
        # All boxes are assigned at once. If those where people are expected were assigned first, a
        # person who follows another at walking speed would get the number of the one in front.
        places = [place_of(box_px) for box_px in boxes_px]
        costs = [state.match_costs(places, at_s) for state in self._states]
        return {self._states[row].number: column for row, column in assign(costs).items()}

    def _add(self, reading: Reading) -> None:
        self._count += 1
        state = TrackState(
            self._count,
            reading.box_px,
            reading.at_s,
            reading.at_s,
            reading.at_s,
            AlphaBetaFilter(reading.box_px, reading.at_s),
        )
        state.update(reading, self._settings, self._min_weight)
        self._states.append(state)
