"""The people counter: the number of people per hour, by their label when they came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.classification.model_card import KNOWN_LABELS
from edge.classification.unsure import UNSURE
from edge.common.clock import iso_utc
from edge.tracking.track import Track

#: A track with fewer sightings is a false box of the detector and not a person. On held-out
#: photographs, about one box in eight contains nobody; in a video such boxes appear and disappear.
MIN_SIGHTINGS = 3
HOUR_S = 3600.0


@dataclass
class _Hour:
    """The counts of one hour. `number` is in hours since the epoch; `from_s`, in seconds since the
    epoch, is the start of the hour or, in the first hour, the time of the first frame."""

    number: int
    from_s: float
    counts: dict[str, int]

    def body(self) -> dict[str, Any]:
        return {"from": iso_utc(self.from_s, "seconds"), **self.counts}


@dataclass
class _Person:
    """A person who is in view: the number of sightings so far, and the label if it is certain.

    `UNSURE` is the label of those who were never visible well enough, and of what may be no face.
    """

    sightings: int
    label: str


class PeopleCounter:
    """Counts each person once, when their track ends.

    The label is the first one with enough evidence: what the person wore when coming in. A person
    who comes in without a mask and puts one on later is therefore counted as `no_mask`. Hours are
    those of UTC. The counts are kept in memory and start at zero with the daemon.
    """

    def __init__(self, min_readings: float, epoch_s: Callable[[float], float]) -> None:
        """Start with all counts at zero.

        `min_readings` is the total weight of evidence that a label needs. `epoch_s` converts a time
        on the clock of the frames to seconds since the epoch.
        """
        self._min_readings = min_readings
        self._epoch_s = epoch_s
        self._people: dict[int, _Person] = {}
        self._hour: _Hour | None = None
        self._last_hour: _Hour | None = None

    def change(self, min_readings: float) -> None:
        """Replace `min_readings`; people who have a label keep it."""
        self._min_readings = min_readings

    def update(self, tracks: Sequence[Track], now_s: float) -> None:
        """Process the tracks of the frame at `now_s`; count the people whose track has ended."""
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
        """Count the people who are still present when the daemon stops."""
        self.update((), now_s)

    def body(self) -> Mapping[str, Any]:
        """Return the counts as part of the `state` message; empty before the first frame.

        `hour` is the current hour, and `last_hour` is the last one before it in which there were
        frames. `from` is the start of an hour.
        """
        if self._hour is None:
            return {}
        return {
            "hour": self._hour.body(),
            "last_hour": None if self._last_hour is None else self._last_hour.body(),
        }

    def _hour_at(self, now_s: float) -> _Hour:
        epoch_s = self._epoch_s(now_s)
        number = int(epoch_s // HOUR_S)
        if self._hour is not None and self._hour.number - number == 1:
            return self._hour  # the clock was set back: do not end the previous hour again
        if self._hour is None or self._hour.number != number:
            zeros = dict.fromkeys((*KNOWN_LABELS, UNSURE), 0)
            # Setting the clock to another hour also ends the current hour.
            from_s = epoch_s if self._hour is None else number * HOUR_S
            self._last_hour, self._hour = self._hour, _Hour(number, from_s, zeros)
        return self._hour

    @staticmethod
    def _count(hour: _Hour, person: _Person) -> None:
        if person.sightings >= MIN_SIGHTINGS:
            hour.counts[person.label] += 1
