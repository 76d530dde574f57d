"""The queue of the publisher's worker thread: signals and requests, in order of arrival.

The worker takes one item at a time. Each call of `take` also shows that the worker does not hang:
the worker calls `take` at least every `MAX_WAIT_S`, however little there is to do.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.mqtt.connection import Message, Signal

#: The longest wait of one `take`; a caller that needs to wait longer calls it again.
MAX_WAIT_S = 30.0


@dataclass(frozen=True)
class PublishRetained:
    """A request to publish `message`, now and after every connect."""

    message: Message


@dataclass(frozen=True)
class Wake:
    """A notice that the outbox holds a new event."""


@dataclass(frozen=True)
class Stop:
    """A request to process the items before this one, then stop."""


class WorkerQueue:
    """A queue into which any thread may put items, and from which one worker takes them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty queue; `clock` returns seconds since any fixed point."""
        self._clock = clock
        self._last_take_s = clock()
        self._stop_at_s = math.inf
        #: The queue into which a connection puts its signals.
        self.signals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        #: The newest retained message of each topic, among the messages taken so far.
        self.retained: dict[str, Message] = {}
        #: Whether a `Stop` was taken.
        self.stopping = False

    def wake(self) -> None:
        """Put a notice that the outbox holds a new event."""
        self.signals.put(Wake())

    def retain(self, message: Message) -> None:
        """Enqueue a request to publish the retained `message`."""
        self.signals.put(PublishRetained(message))

    def stop(self, timeout_s: float) -> None:
        """Put a request to stop within `timeout_s` from now.

        The earliest deadline of several requests applies.
        """
        self._stop_at_s = min(self._stop_at_s, self._clock() + timeout_s)
        self.signals.put(Stop())

    @property
    def stop_requested(self) -> bool:
        """Whether `stop` was called, even if the worker has not taken the request yet."""
        return self._stop_at_s < math.inf

    def time_left_s(self) -> float:
        """Return the seconds until the stop deadline.

        Infinite before a stop was requested, negative once the deadline has passed.
        """
        return self._stop_at_s - self._clock()

    def since_last_take_s(self) -> float:
        """Return the seconds since the worker last began or finished a `take`."""
        return self._clock() - self._last_take_s

    def take(self, timeout_s: float) -> Signal | PublishRetained | Wake | Stop | None:
        """Return the next item; None if there is no item within `timeout_s` or `MAX_WAIT_S`.

        A retained message is stored in `retained`, and a stop request sets `stopping`.
        """
        self._last_take_s = self._clock()
        try:
            item = self.signals.get(timeout=min(max(0.0, timeout_s), MAX_WAIT_S))
        except queue.Empty:
            return None
        finally:
            self._last_take_s = self._clock()
        if isinstance(item, PublishRetained):
            self.retained[item.message.topic] = item.message
        elif isinstance(item, Stop):
            self.stopping = True
        return item  # type: ignore[no-any-return]
