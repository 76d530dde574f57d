"""The messages of QoS 1 that one connection has sent and the broker has not yet acknowledged.

MQTT 5 limits their number (Receive Maximum); a broker ends the connection of a client that exceeds
it. The limit counts events, retained messages and replies together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: How many messages may be in flight, that is, sent and not yet acknowledged, if the broker allows
#: more. MQTT keeps their order.
MAX_IN_FLIGHT = 20
#: If messages are in flight and none is acknowledged for this long, the connection counts as lost,
#: even if pings are still answered. The next connection sends unacknowledged events again.
ACK_TIMEOUT_S = 60.0


class SendWindow:
    """Counts the messages in flight. Not thread-safe: use it from one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing in flight; `clock` returns seconds since any fixed point."""
        self._clock = clock
        self._in_flight: set[int] = set()
        self._waiting_since_s = 0.0
        self._size = MAX_IN_FLIGHT

    def limit(self, receive_maximum: int) -> None:
        """Keep to the Receive Maximum of the broker, if it is below `MAX_IN_FLIGHT`."""
        self._size = min(MAX_IN_FLIGHT, receive_maximum)

    @property
    def free(self) -> int:
        """How many more messages may be sent now."""
        return max(0, self._size - len(self._in_flight))

    def add(self, packet_id: int) -> None:
        """Record that the message `packet_id` was sent."""
        if not self._in_flight:
            self._waiting_since_s = self._clock()
        self._in_flight.add(packet_id)

    def acknowledge(self, packet_id: int) -> None:
        """Record that the broker acknowledged `packet_id`; others than messages in flight are
        ignored."""
        if packet_id in self._in_flight:
            self._in_flight.remove(packet_id)
            self._waiting_since_s = self._clock()

    def ack_time_left_s(self) -> float:
        """Return the seconds until an acknowledgement is overdue.

        Infinite while nothing is in flight, zero or negative once it is overdue.
        """
        if not self._in_flight:
            return math.inf
        return self._waiting_since_s + ACK_TIMEOUT_S - self._clock()
