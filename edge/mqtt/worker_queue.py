"""What the delivery's worker is told by others, in the order in which it came.

The worker takes one thing at a time, and taking is its heartbeat: however little there is to
do, it comes by at least every `TURN_S`.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.mqtt.connection import Message, Signal

#: The longest wait in one piece; who needs a longer one comes again.
TURN_S = 30.0


@dataclass(frozen=True)
class Retain:
    """Keep this with the broker."""

    message: Message


@dataclass(frozen=True)
class Wake:
    """The outbox has something new."""


@dataclass(frozen=True)
class Stop:
    """Finish what was asked for before this, then end."""


class WorkerQueue:
    """A queue that anybody may put into, and one worker takes from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Empty; `clock` counts seconds from any start."""
        self._clock = clock
        self._turned_s = clock()
        self._stop_at_s = math.inf
        #: Where a session puts its signals.
        self.signals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        #: The newest of each topic that is to stay with the broker, as far as it was taken.
        self.retained: dict[str, Message] = {}
        #: Whether a wish to stop was taken.
        self.stopping = False

    def wake(self) -> None:
        """Say that the outbox has something new."""
        self.signals.put(Wake())

    def retain(self, message: Message) -> None:
        """Ask for `message` to be kept with the broker."""
        self.signals.put(Retain(message))

    def stop(self, timeout_s: float) -> None:
        """Ask for an end, within `timeout_s` from now; the earliest of several counts."""
        self._stop_at_s = min(self._stop_at_s, self._clock() + timeout_s)
        self.signals.put(Stop())

    @property
    def stop_asked(self) -> bool:
        """Whether anybody wished us to stop, taken or not."""
        return self._stop_at_s < math.inf

    def time_left_s(self) -> float:
        """Until all must have ended: infinite while nobody wished it, negative afterwards."""
        return self._stop_at_s - self._clock()

    def silence_s(self) -> float:
        """Since the worker last came by."""
        return self._clock() - self._turned_s

    def take(self, timeout_s: float) -> Signal | Retain | Wake | Stop | None:
        """The next one, None when there is none in time or after `TURN_S`; what must be
        remembered is."""
        self._turned_s = self._clock()
        try:
            signal = self.signals.get(timeout=min(max(0.0, timeout_s), TURN_S))
        except queue.Empty:
            return None
        finally:
            self._turned_s = self._clock()
        if isinstance(signal, Retain):
            self.retained[signal.message.topic] = signal.message
        elif isinstance(signal, Stop):
            self.stopping = True
        return signal  # type: ignore[no-any-return]
