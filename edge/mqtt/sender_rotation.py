"""The order in which several senders use the free places of one send window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.mqtt.connection import Connection, PubackReceived


class Sender(Protocol):
    """Sends one kind of message."""

    def start_connection(self) -> None:
        """Prepare for a new connection, on which nothing was sent yet."""

    def send_waiting(self, connection: Connection) -> None:
        """Send waiting messages for as long as `connection` has room for them."""

    def handle_puback(self, puback: PubackReceived) -> bool:
        """Return whether `puback` acknowledges a message of this sender, after handling it."""


class SenderRotation:
    """Lets each sender send in turn, so that none keeps the others waiting.

    The place of an acknowledged message is offered to the other senders first. This matters if the
    broker allows few messages in flight, or is slow.
    """

    def __init__(self, senders: Sequence[Sender]) -> None:
        """Begin each connection in the order of `senders`."""
        self._senders = tuple(senders)
        self._order = list(senders)

    def start_connection(self) -> None:
        """Prepare all senders for a new connection."""
        self._order = list(self._senders)
        for sender in self._senders:
            sender.start_connection()

    def send_waiting(self, connection: Connection) -> None:
        """Let the senders send; raises what they raise."""
        for sender in self._order:
            sender.send_waiting(connection)

    def handle_puback(self, puback: PubackReceived) -> None:
        """Pass `puback` to the sender of its message; raises what that sender raises."""
        for sender in self._order:
            if sender.handle_puback(puback):
                self._order.remove(sender)
                self._order.append(sender)
                return
