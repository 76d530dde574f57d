"""The alert machine: a pure state machine that turns tracks into starts and ends of alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.classification.model_card import ALERT_LABEL
from edge.common.arrays import Box
from edge.config.settings import EventSettings
from edge.events.still_things import STILL_S, Stillness, StillThings
from edge.tracking.track import Track

EventType = Literal["no_mask_start", "no_mask_end"]
EndedBy = Literal["masked", "left", "shutdown"]

#: An alert ends when the smoothed score falls below this share of the threshold. The gap between
#: the threshold and this share of it prevents alerts from starting and ending again and again while
#: the score is near the threshold.
RELEASE_SHARE = 0.6
#: Number of appearances of a still thing that are remembered: its boxes vary from frame to frame.
LOOKS = 5


@dataclass(frozen=True)
class Event:
    """The start or the end of one person's alert.

    `episode` identifies the alert and is the same in both events; `at_s` and `duration_s` are
    seconds on the clock of the frames; `box` is x, y, width, height as fractions of the frame;
    `score` is the median, over `readings` readings, of the sum of the scores of the labels that
    raise an alert; `label` is the one of these labels that had the highest score when the alert
    started.
    """

    event_type: EventType
    episode: str
    at_s: float
    score: float
    readings: int
    box: tuple[float, float, float, float]
    duration_s: float | None = None
    ended_by: EndedBy | None = None
    label: str = ALERT_LABEL


@dataclass
class _AlertState:
    """The alert state of one track.

    `latest` is the track in the newest frame; `assessed` is the track in the last frame that
    brought new evidence. Later readings may have had no weight, because the face was not clearly
    visible, or the evidence may have been dropped after a change of the model. `has_alerted` is
    also set if the alert was left out because the thing is known, and then `is_left_out` is, too;
    `was_masked` is set once the face has certainly been masked.
    """

    latest: Track
    assessed: Track
    stillness: Stillness
    has_alerted: bool = False
    is_left_out: bool = False
    was_masked: bool = False
    episode: str | None = None
    label: str = ALERT_LABEL
    started_s: float = 0.0
    low_since_s: float | None = None


class AlertMachine:
    """Emits a `no_mask_start` when a person's alert starts and a `no_mask_end` when it ends."""

    def __init__(
        self, settings: EventSettings, threshold: float, new_episode: Callable[[], str]
    ) -> None:
        """Start without alerts.

        `threshold` is the median score at which an alert starts. `new_episode` returns a new
        identifier on each call.
        The model must have every label of `settings.alert_on`, which
        `edge.classification.classifier.alert_labels` checks.
        """
        self._settings = settings
        self._threshold = threshold
        self._new_episode = new_episode
        self._people: dict[int, _AlertState] = {}
        self._still_things = StillThings()
        self._size_px = (1, 1)

    def change(self, settings: EventSettings, threshold: float) -> None:
        """Replace the settings; active alerts continue and end according to the new settings."""
        self._settings = settings
        self._threshold = threshold

    @property
    def alert_count(self) -> int:
        """The number of active alerts."""
        return sum(person.episode is not None for person in self._people.values())

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        """Return the boxes of people with an active alert who are in the frame of `now_s`.

        Each is x, y, width, height as fractions of the frame.
        """
        return tuple(
            as_fractions(person.latest.box_px, self._size_px)
            for person in self._people.values()
            if person.episode is not None and person.latest.last_seen_s >= now_s
        )

    def is_decided(self, track: Track) -> bool:
        """Whether no alert about the person of `track` is to start or to end.

        All evidence of the track must say the same as its newest reading.
        """
        person = self._people.get(track.number)
        score = track.evidence[-1].score(self._settings.alert_on)
        if person is not None and person.episode is not None:
            return score >= RELEASE_SHARE * self._threshold
        return score < self._threshold or (person is not None and person.is_left_out)

    def update(
        self, tracks: Sequence[Track], now_s: float, size_px: tuple[int, int]
    ) -> list[Event]:
        """Process the tracks of the frame at `now_s` and return the resulting events.

        `size_px` is the height and width of the frame. A person whose track is no longer in
        `tracks` has left.
        """
        self._still_things.forget(now_s)
        events = []
        present = {track.number for track in tracks}
        for number in [n for n in self._people if n not in present]:
            person = self._people.pop(number)
            self._remember_if_still(person)
            if person.episode is not None:
                events.append(self._end(person, person.latest.last_seen_s, "left"))
        self._size_px = size_px  # the boxes of those who have left were in frames of the old size
        for track in tracks:
            person = self._people.setdefault(track.number, _new_state(track))
            person.latest = track
            person.stillness.update(track.box_px, track.last_seen_s)
            if track.last_evidence_s < now_s:
                continue
            person.assessed = track
            person.was_masked |= self._looks_masked(track)
            if person.episode is None and self._is_bare(track):
                person.has_alerted = True
                person.is_left_out = self._is_known(person)
                if not person.is_left_out:
                    events.append(self._start(person, now_s))
            elif person.episode is not None and self._is_masked(person, now_s):
                events.append(self._end(person, now_s, "masked"))
        return events

    def shutdown(self, now_s: float) -> list[Event]:
        """Return the events that end all active alerts because the daemon stops."""
        self._still_things.forget()
        active = [person for person in self._people.values() if person.episode is not None]
        self._people.clear()
        return [self._end(person, now_s, "shutdown") for person in active]

    def _is_bare(self, track: Track) -> bool:
        return (
            track.has_weight(self._settings.min_readings)
            and track.last_seen_s - track.first_seen_s >= self._settings.confirm_s
            and track.score(self._settings.alert_on) >= self._threshold
        )

    def _looks_masked(self, track: Track) -> bool:
        return (
            track.has_weight(self._settings.min_readings)
            and track.score(self._settings.alert_on) < RELEASE_SHARE * self._threshold
        )

    def _is_known(self, person: _AlertState) -> bool:
        """Return whether the person is a still thing that has caused an alert before.

        Somebody whose face was masked is a person, and never known.
        """
        track = person.latest
        box = as_fractions(track.box_px, self._size_px)
        looks = [reading.appearance for reading in track.evidence]
        return not person.was_masked and self._still_things.knows(box, looks, track.last_seen_s)

    def _remember_if_still(self, person: _AlertState) -> None:
        """Remember what alerted and whose track ended at its place, if it may be a thing."""
        track = person.latest
        if person.was_masked:
            return
        if person.has_alerted and track.last_seen_s - person.stillness.since_s >= STILL_S:
            box = as_fractions(track.box_px, self._size_px)
            looks = [reading.appearance for reading in person.assessed.evidence]
            self._still_things.remember(box, looks[-LOOKS:], track.last_seen_s)

    def _is_masked(self, person: _AlertState, now_s: float) -> bool:
        if person.latest.score(self._settings.alert_on) >= RELEASE_SHARE * self._threshold:
            person.low_since_s = None
            return False
        if person.low_since_s is None:
            person.low_since_s = now_s
        return now_s - person.low_since_s >= self._settings.masked_after_s

    def _start(self, person: _AlertState, at_s: float) -> Event:
        person.episode, person.started_s, person.low_since_s = self._new_episode(), at_s, None
        person.label = person.latest.label(self._settings.alert_on)
        return Event("no_mask_start", person.episode, at_s, **self._evidence(person))

    def _end(self, person: _AlertState, at_s: float, ended_by: EndedBy) -> Event:
        episode, person.episode = person.episode or "", None
        return Event(
            "no_mask_end",
            episode,
            at_s,
            **self._evidence(person),
            duration_s=max(0.0, at_s - person.started_s),
            ended_by=ended_by,
        )

    def _evidence(self, person: _AlertState) -> dict[str, Any]:
        return {
            "score": person.assessed.score(self._settings.alert_on),
            "readings": person.assessed.readings,
            "box": as_fractions(person.latest.box_px, self._size_px),
            "label": person.label,
        }


def _new_state(track: Track) -> _AlertState:
    return _AlertState(track, track, Stillness(track.box_px, track.first_seen_s))


def as_fractions(box_px: Box, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return `box_px`, clipped to a frame of `size_px` (height, width), as fractions of it."""
    height, width = size_px
    x, y, w, h = box_px
    left, top = min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)
    right, bottom = min(max((x + w) / width, 0.0), 1.0), min(max((y + h) / height, 0.0), 1.0)
    return left, top, right - left, bottom - top
