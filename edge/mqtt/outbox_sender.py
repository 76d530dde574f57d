"""The outbox drained in order: a window of events on their way, each gone when acknowledged."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

from edge.common.clock import Moment, age_s, now
from edge.mqtt.broker import Broker, RefusedError, TooLargeError
from edge.mqtt.connection import Acknowledged, Connection, Message
from edge.mqtt.payloads import Topics, published
from edge.outbox.outbox import Outbox
from edge.outbox.sqlite_file import Pending

#: Events that may be on their way unacknowledged; MQTT keeps their order.
WINDOW = 20
#: A connection on which events are on their way and none is acknowledged for so long is as
#: good as lost, even if pings are still answered: the next one sends them again.
ACKNOWLEDGE_S = 60.0


class OutboxSender:
    """Sends the events of one outbox; its user calls it from one thread."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int, float], None],
        moment: Callable[[], Moment] = now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_delivered` is told for each event its `seq` and how many seconds lay between its
        commit and its acknowledgement; not for those from before the connection, which waited
        for it.

        `moment` is the present one, `clock` counts seconds from any start.
        """
        self._broker = broker
        self._topic = topics["events"]
        self._outbox = outbox
        self._on_delivered = on_delivered
        self._moment = moment
        self._clock = clock
        self._waiting_since_s = 0.0
        self._on_their_way: dict[int, tuple[int, Moment]] = {}  # seq, and when committed
        self._online_since = moment()
        self.acknowledged = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._on_their_way

    def patience_s(self) -> float:
        """How much longer to wait for an acknowledgement: infinite while none is due, not
        positive once it is high time."""
        if self.idle:
            return math.inf
        return self._waiting_since_s + ACKNOWLEDGE_S - self._clock()

    def open(self) -> None:
        """A new connection: everything that is not acknowledged goes out again."""
        self._online_since = self._moment()
        self._on_their_way.clear()

    def send_waiting(self, session: Connection) -> None:
        """Send what waits, as far as there is room; raises TooLargeError when the first that
        waits is more than the broker takes."""
        if self.idle:
            self._waiting_since_s = self._clock()
        if len(self._on_their_way) >= WINDOW:
            return
        # The oldest, whatever was sent before: a disk that comes back may bring older ones.
        sent = {seq for seq, _ in self._on_their_way.values()}
        for pending in self._outbox.pending(0, WINDOW):
            if pending.seq in sent or len(self._on_their_way) >= WINDOW:
                continue
            message = Message(self._topic, self._body(pending), qos=1, retain=False)
            try:
                mid = session.publish(message)
            except TooLargeError:
                if self.idle:
                    raise
                return  # those before it are to be acknowledged first
            self._on_their_way[mid] = pending.seq, pending.committed

    def take(self, signal: Acknowledged) -> None:
        """An acknowledgement, perhaps of an event; raises RefusedError when the broker's
        rules forbid it."""
        sent = self._on_their_way.pop(signal.mid, None)
        if sent is None:
            return
        seq, committed = sent
        self._waiting_since_s = self._clock()
        if signal.failure:
            raise RefusedError(
                f"the broker at {self._broker.address} does not take events: {signal.failure};"
                f" is this device allowed to write to {self._topic}?"
            )
        self._outbox.remove(seq)
        self.acknowledged += 1
        at = self._moment()
        took_s, online_s = age_s(committed, at), age_s(self._online_since, at)
        if took_s is not None and online_s is not None and took_s <= online_s:
            self._on_delivered(seq, took_s)

    def _body(self, pending: Pending) -> str:
        body = published(pending, self._online_since, self._moment())
        return json.dumps(body, separators=(",", ":"))
