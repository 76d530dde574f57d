"""Slots for listed devices: a bound on memory, as anyone who can publish can invent device names.

Every device that sends a valid message gets a slot. If all slots are taken, another device is
evicted: the one that has been silent longest if that is more than a day, otherwise a random one of
the newest devices. The oldest devices keep their slots as long as they send messages, so invented
names evict each other.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SLOTS = 2000
#: This many of the newest devices may be evicted even if they are not silent.
NEWCOMERS = 200
#: A device that has sent nothing for this long is evicted first.
SILENT_AFTER_S = 86_400.0


@dataclass
class _Slot:
    number: int
    heard_s: float


class DeviceSlots:
    """The devices that have a slot. Times are seconds of a monotonic clock.

    May be used from any thread.
    """

    def __init__(
        self,
        slots: int = MAX_SLOTS,
        newcomers: int = NEWCOMERS,
        chance: random.Random | None = None,
    ) -> None:
        """Start with `slots` free slots; the newest `newcomers` devices (at least 1) can be
        evicted."""
        self._lock = threading.Lock()
        self._newcomers = newcomers
        self._chance = chance or random.Random()
        self._free = list(range(slots))
        #: The slot of each device by its name; the oldest device is first.
        self._taken: dict[str, _Slot] = {}

    def restore(self, heard_s: Mapping[str, float]) -> list[str]:
        """Assign slots to the devices of an earlier run, oldest first, while slots are free.

        `heard_s` holds the time of each device's last message. Return the devices that got a slot.
        """
        restored = []
        for name, at_s in heard_s.items():
            if not self._free:
                break
            self.assign(name, at_s)
            restored.append(name)
        return restored

    def touch(self, name: str, at_s: float) -> int | None:
        """Record that `name` sent a message; return its slot number, or None if it has no slot."""
        with self._lock:
            slot = self._taken.get(name)
            if slot is None:
                return None
            slot.heard_s = at_s
            return slot.number

    def assign(self, name: str, at_s: float) -> tuple[int, str]:
        """Give `name` a slot; return its number and the evicted device (empty if there is none)."""
        with self._lock:
            if name in self._taken:
                return self._taken[name].number, ""
            evicted = ""
            if not self._free:
                evicted = self._choose_evicted(at_s)
                self._free.append(self._taken.pop(evicted).number)
            self._taken[name] = _Slot(self._free.pop(), at_s)
            return self._taken[name].number, evicted

    def release(self, name: str) -> None:
        """Free the slot of `name`, if it has one."""
        with self._lock:
            if (slot := self._taken.pop(name, None)) is not None:
                self._free.append(slot.number)

    def _choose_evicted(self, at_s: float) -> str:
        most_silent = min(self._taken, key=lambda name: self._taken[name].heard_s)
        if at_s - self._taken[most_silent].heard_s > SILENT_AFTER_S:
            return most_silent
        return self._chance.choice(list(self._taken)[-self._newcomers :])
