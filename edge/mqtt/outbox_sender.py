"""Sends the events of the outbox in order and removes each one when it is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Callable

from edge.common.clock import Moment, age_s, now
from edge.mqtt.broker import Broker, PacketTooLargeError, RefusedError
from edge.mqtt.connection import Connection, Message, PubackReceived
from edge.mqtt.payloads import Topics, published_body
from edge.mqtt.send_window import MAX_IN_FLIGHT
from edge.outbox.outbox import Outbox
from edge.outbox.tables import PendingEvent


class OutboxSender:
    """Sends the events of one outbox. Not thread-safe: use it from one thread."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int, float], None],
        moment: Callable[[], Moment] = now,
    ) -> None:
        """Send nothing yet.

        `on_delivered` is called for each acknowledged event with its `seq` and the seconds
        between its commit and its acknowledgement. It is not called for events that were
        committed before the connection was made, because they waited for the connection.
        `moment` returns the present moment.
        """
        self._broker = broker
        self._topic = topics["events"]
        self._outbox = outbox
        self._on_delivered = on_delivered
        self._moment = moment
        self._in_flight: dict[int, tuple[int, Moment]] = {}  # packet: (seq, time of commit)
        self._waits_for_room = False
        self._online_since = moment()
        self.acknowledged = 0

    @property
    def finished(self) -> bool:
        """Whether no event is in flight and none waits for room."""
        return not self._in_flight and not self._waits_for_room

    def start_connection(self) -> None:
        """Prepare for a new connection: every unacknowledged event is sent again."""
        self._online_since = self._moment()
        self._in_flight.clear()

    def send_waiting(self, connection: Connection) -> None:
        """Send the oldest events for as long as `connection` has room for them.

        With QoS 0, an event that the broker does not accept would be lost: none is sent before the
        connection is proven.
        Raises PacketTooLargeError when the oldest event in the outbox is larger than the broker
        accepts.
        """
        unproven = not connection.features.qos and not connection.proven
        self._waits_for_room = unproven or not connection.window.free
        if self._waits_for_room:
            return
        # Always start from the oldest event: a disk that becomes readable again may bring back
        # events that are older than those already sent.
        sent = {seq for seq, _ in self._in_flight.values()}
        for pending in self._outbox.pending(0, MAX_IN_FLIGHT):
            if pending.seq in sent:
                continue
            message = Message(self._topic, self._body(pending), qos=1, retain=False)
            self._waits_for_room = not connection.has_room(message)
            if self._waits_for_room or len(self._in_flight) >= MAX_IN_FLIGHT:
                return
            try:
                packet_id = connection.publish(message)
            except PacketTooLargeError:
                if not self._in_flight:
                    raise
                return  # this error is reported only after the earlier events are acknowledged
            self._in_flight[packet_id] = pending.seq, pending.committed

    def handle_puback(self, puback: PubackReceived) -> bool:
        """Remove the event that `puback` acknowledges; return False if it is not for an event.

        Raises RefusedError when the broker rejected the event.
        """
        sent = self._in_flight.pop(puback.packet_id, None)
        if sent is None:
            return False
        seq, committed = sent
        if puback.failure:
            raise RefusedError(
                f"the broker at {self._broker.address} does not accept events: {puback.failure};"
                f" is this device allowed to write to {self._topic}?"
            )
        self._outbox.remove(seq)
        self.acknowledged += 1
        at = self._moment()
        took_s, online_s = age_s(committed, at), age_s(self._online_since, at)
        if took_s is not None and online_s is not None and took_s <= online_s:
            self._on_delivered(seq, took_s)
        return True

    def _body(self, pending: PendingEvent) -> str:
        body = published_body(pending, self._online_since, self._moment())
        return json.dumps(body, separators=(",", ":"))
