"""A person's track becomes the start and the end of an alert: a pure state machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.classification.model_card import ALERT_LABEL
from edge.common.arrays import Box
from edge.config.settings import EventSettings
from edge.tracking.track import Track

EventType = Literal["no_mask_start", "no_mask_end"]
EndedBy = Literal["masked", "left", "shutdown"]

#: An alert is over when the smoothed score has fallen below this share of the
#: threshold: the gap keeps a score that hovers at the threshold from flapping.
RELEASE_SHARE = 0.6


@dataclass(frozen=True)
class Event:
    """The start or the end of one person's alert.

    `episode` is the same for both; `at_s` and `duration_s` are seconds on the clock
    of the frames; `box` is x, y, width, height as fractions of the frame; `score` is the
    median over `readings` readings of what the model gives the alerting labels together;
    `label` is the one of them that it gave most when the alert began.
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
class _Person:
    """What is remembered of a track from frame to frame.

    `judged` is how it stood when its label was last looked at: later it may have been seen
    too badly for that, or by a model that was loaded a moment ago.
    """

    last: Track
    judged: Track
    episode: str | None = None
    label: str = ALERT_LABEL
    started_s: float = 0.0
    calm_since_s: float | None = None


class AlertMachine:
    """One `no_mask_start` for each bare face, one `no_mask_end` when that is over."""

    def __init__(
        self, settings: EventSettings, threshold: float, new_episode: Callable[[], str]
    ) -> None:
        """`threshold` is what the median score must reach; `new_episode` gives unique names.

        The model must know every label in `settings.alert_on`; see
        `edge.classification.classifier.alert_labels`.
        """
        self._settings = settings
        self._threshold = threshold
        self._new_episode = new_episode
        self._people: dict[int, _Person] = {}
        self._size_px = (1, 1)

    def change(self, settings: EventSettings, threshold: float) -> None:
        """Go on with other settings; alerts that are running stay so until they end by them."""
        self._settings = settings
        self._threshold = threshold

    @property
    def alert_count(self) -> int:
        """How many people are bare-faced right now."""
        return sum(person.episode is not None for person in self._people.values())

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        """Where the frame of `now_s` shows them: x, y, width, height as fractions of it."""
        return tuple(
            as_fractions(person.last.box_px, self._size_px)
            for person in self._people.values()
            if person.episode is not None and person.last.last_seen_s >= now_s
        )

    def update(
        self, tracks: Sequence[Track], now_s: float, size_px: tuple[int, int]
    ) -> list[Event]:
        """Events that the tracks of the frame of `now_s` give rise to.

        `size_px` is the frame's height and width. A track that is no longer in
        `tracks` has left.
        """
        self._size_px = size_px
        events = []
        present = {track.number for track in tracks}
        for number in [n for n in self._people if n not in present]:
            person = self._people.pop(number)
            if person.episode is not None:
                events.append(self._end(person, person.last.last_seen_s, "left"))
        for track in tracks:
            person = self._people.setdefault(track.number, _Person(track, track))
            person.last = track
            if track.last_evidence_s < now_s:
                continue
            person.judged = track
            if person.episode is None and self._is_bare(track):
                events.append(self._start(person, now_s))
            elif person.episode is not None and self._is_masked(person, now_s):
                events.append(self._end(person, now_s, "masked"))
        return events

    def shutdown(self, now_s: float) -> list[Event]:
        """End every running alert because the daemon stops."""
        running = [person for person in self._people.values() if person.episode is not None]
        self._people.clear()
        return [self._end(person, now_s, "shutdown") for person in running]

    def _is_bare(self, track: Track) -> bool:
        return (
            track.has_weight(self._settings.min_readings)
            and track.last_seen_s - track.first_seen_s >= self._settings.confirm_s
            and track.score(self._settings.alert_on) >= self._threshold
        )

    def _is_masked(self, person: _Person, now_s: float) -> bool:
        if person.last.score(self._settings.alert_on) >= RELEASE_SHARE * self._threshold:
            person.calm_since_s = None
            return False
        if person.calm_since_s is None:
            person.calm_since_s = now_s
        return now_s - person.calm_since_s >= self._settings.masked_after_s

    def _start(self, person: _Person, at_s: float) -> Event:
        person.episode, person.started_s, person.calm_since_s = self._new_episode(), at_s, None
        person.label = person.last.label(self._settings.alert_on)
        return Event("no_mask_start", person.episode, at_s, **self._evidence(person))

    def _end(self, person: _Person, at_s: float, ended_by: EndedBy) -> Event:
        episode, person.episode = person.episode or "", None
        return Event(
            "no_mask_end",
            episode,
            at_s,
            **self._evidence(person),
            duration_s=max(0.0, at_s - person.started_s),
            ended_by=ended_by,
        )

    def _evidence(self, person: _Person) -> dict[str, Any]:
        return {
            "score": person.judged.score(self._settings.alert_on),
            "readings": person.judged.readings,
            "box": as_fractions(person.last.box_px, self._size_px),
            "label": person.label,
        }


def as_fractions(box_px: Box, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """`box_px` cut to the frame of `size_px` (height, width), as fractions of it."""
    height, width = size_px
    x, y, w, h = box_px
    left, top = min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)
    right, bottom = min(max((x + w) / width, 0.0), 1.0), min(max((y + h) / height, 0.0), 1.0)
    return left, top, right - left, bottom - top
