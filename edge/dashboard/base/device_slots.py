"""Who is listed: memory has an end, and whoever may publish may invent names.

There are so many places. Whoever says something valid gets one, always: when all are taken, in
turn of who has been silent for a day, else of one of the newcomers, whichever chance names. Those
that came first stay, as long as they speak: who invents names takes places from each other.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SLOTS = 2000
#: So many of those that came last are newcomers.
NEWCOMERS = 200
#: Who says nothing for so long gives way first.
SILENT_AFTER_S = 86_400.0


@dataclass
class _Place:
    number: int
    heard_s: float


class DeviceSlots:
    """May be used from any thread. Times are seconds that no setting of a clock moves."""

    def __init__(
        self,
        most: int = MAX_SLOTS,
        newcomers: int = NEWCOMERS,
        chance: random.Random | None = None,
    ) -> None:
        """`most` places, of which the last `newcomers` (one at least) are not for good."""
        self._lock = threading.Lock()
        self._newcomers = newcomers
        self._chance = chance or random.Random()
        self._free = list(range(most))
        #: In the order in which they came.
        self._held: dict[str, _Place] = {}

    def fill(self, heard_s: Mapping[str, float]) -> list[str]:
        """Those of before, who came in this order, and when each was heard last; gives who has
        got a place, as far as there are some."""
        filled = []
        for name, at_s in heard_s.items():
            if not self._free:
                break
            self.enter(name, at_s)
            filled.append(name)
        return filled

    def hear(self, name: str, at_s: float) -> int | None:
        """`name` speaks: the number of its place, None when it has none."""
        with self._lock:
            place = self._held.get(name)
            if place is None:
                return None
            place.heard_s = at_s
            return place.number

    def enter(self, name: str, at_s: float) -> tuple[int, str]:
        """Give `name` a place: its number, and who had it until now (empty: nobody)."""
        with self._lock:
            if name in self._held:
                return self._held[name].number, ""
            gone = ""
            if not self._free:
                gone = self._who_gives_way(at_s)
                self._free.append(self._held.pop(gone).number)
            self._held[name] = _Place(self._free.pop(), at_s)
            return self._held[name].number, gone

    def leave(self, name: str) -> None:
        """`name` needs its place no more."""
        with self._lock:
            if (place := self._held.pop(name, None)) is not None:
                self._free.append(place.number)

    def _who_gives_way(self, at_s: float) -> str:
        silent = min(self._held, key=lambda name: self._held[name].heard_s)
        if at_s - self._held[silent].heard_s > SILENT_AFTER_S:
            return silent
        return self._chance.choice(list(self._held)[-self._newcomers :])
