"""How many people came by each hour, by what they wore when they came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.classification.model_card import KNOWN_LABELS
from edge.common.clock import iso_utc
from edge.tracking.track import Track

#: Who was seen, but never well enough for a label.
UNSURE = "unsure"
#: A track of fewer readings is a false box of the detector, not a person: on held-out
#: photographs it sees one in about eight where nobody is, and in a film they flicker.
MIN_SIGHTINGS = 3
HOUR_S = 3600.0


@dataclass
class _Hour:
    """`from_s`: seconds since the epoch, the full hour or the start of the run."""

    number: int
    from_s: float
    counts: dict[str, int]

    def body(self) -> dict[str, Any]:
        return {"from": iso_utc(self.from_s, "seconds"), **self.counts}


@dataclass
class _Person:
    sightings: int
    label: str


class PeopleCounter:
    """Counts each person once, when their track ends.

    The label is the first that enough evidence gave: what the person came in with. Whoever
    puts a mask on later counts as bare, and is an alert's end besides. Hours are those of
    UTC; the counts live in memory and start at nothing with the daemon.
    """

    def __init__(self, min_readings: float, epoch_s: Callable[[float], float]) -> None:
        """`min_readings`: what the evidence must weigh; `epoch_s` turns a time of the frames'
        clock into seconds since the epoch."""
        self._min_readings = min_readings
        self._epoch_s = epoch_s
        self._people: dict[int, _Person] = {}
        self._hour: _Hour | None = None
        self._last: _Hour | None = None

    def change(self, min_readings: float) -> None:
        """Go on with another `min_readings`; who has a label keeps it."""
        self._min_readings = min_readings

    def update(self, tracks: Sequence[Track], now_s: float) -> None:
        """Take everybody present in the frame of `now_s`; who is missing is counted."""
        hour = self._hour_at(now_s)
        present = {track.number for track in tracks}
        for number in [n for n in self._people if n not in present]:
            self._count(hour, self._people.pop(number))
        for track in tracks:
            person = self._people.setdefault(track.number, _Person(0, UNSURE))
            person.sightings = track.sightings
            if person.label == UNSURE and track.has_weight(self._min_readings):
                person.label = track.label()

    def finish(self, now_s: float) -> None:
        """Count whoever is still there when the daemon stops."""
        self.update((), now_s)

    def body(self) -> Mapping[str, Any]:
        """The part of `state` that tells the counts; empty before the first frame.

        `last_hour` is the hour that ended last: its `from` says which, as a camera may have
        been away in between.
        """
        if self._hour is None:
            return {}
        return {
            "hour": self._hour.body(),
            "last_hour": None if self._last is None else self._last.body(),
        }

    def _hour_at(self, now_s: float) -> _Hour:
        epoch_s = self._epoch_s(now_s)
        number = int(epoch_s // HOUR_S)
        if self._hour is not None and self._hour.number - number == 1:
            return self._hour  # a clock that is put back a little ends no hour twice
        if self._hour is None or self._hour.number != number:
            nobody = dict.fromkeys((*KNOWN_LABELS, UNSURE), 0)
            # A clock that is set to another hour closes this one like the end of an hour.
            from_s = epoch_s if self._hour is None else number * HOUR_S
            self._last, self._hour = self._hour, _Hour(number, from_s, nobody)
        return self._hour

    @staticmethod
    def _count(hour: _Hour, person: _Person) -> None:
        if person.sightings >= MIN_SIGHTINGS:
            hour.counts[person.label] += 1
