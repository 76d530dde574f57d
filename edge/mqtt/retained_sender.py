"""Sends the device's status and its retained messages."""

from __future__ import annotations

from collections.abc import Callable

from edge.mqtt.broker import PacketTooLargeError
from edge.mqtt.connection import Connection, Message, PubackReceived


class RetainedSender:
    """Sends the newest message of each topic. Not thread-safe: use it from one thread."""

    def __init__(self, on_left_out: Callable[[PacketTooLargeError, str], None]) -> None:
        """Send nothing yet.

        `on_left_out` is called with the error and the topic of a message that is too large for the
        broker; that message is discarded.
        """
        self._on_left_out = on_left_out
        self._waiting: dict[str, Message] = {}
        self._in_flight: set[int] = set()

    @property
    def finished(self) -> bool:
        """Whether no message waits to be sent."""
        return not self._waiting

    def start_connection(self) -> None:
        """Forget the messages of the previous connection."""
        self._waiting.clear()
        self._in_flight.clear()

    def enqueue(self, message: Message) -> None:
        """Queue a message; it replaces a message of the same topic that still waits."""
        self._waiting[message.topic] = message

    def send_waiting(self, connection: Connection) -> None:
        """Send waiting messages in order; those for which there is no room continue to wait."""
        for message in list(self._waiting.values()):
            if not connection.has_room(message):
                continue  # a message of QoS 0 behind it needs no room
            del self._waiting[message.topic]
            try:
                self._in_flight.add(connection.publish(message))
            except PacketTooLargeError as error:
                self._on_left_out(error, message.topic)

    def handle_puback(self, puback: PubackReceived) -> bool:
        """Return whether `puback` acknowledges a message of this sender.

        A rejection is ignored: a message that the broker's access rules forbid must not delay
        events.
        """
        if puback.packet_id not in self._in_flight:
            return False
        self._in_flight.remove(puback.packet_id)
        return True
