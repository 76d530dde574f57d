"""Queues received commands and publishes their replies, a few at a time.

Events use the same connection. An event never waits behind more than `MAX_REPLIES_IN_FLIGHT`
replies, and neither commands nor replies accumulate without bound: the connection accepts at most
`MAX_WAITING_MESSAGES` commands, and no reply is sent while the maximum number of earlier replies
is unacknowledged.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Mapping

from edge.mqtt.broker import PacketTooLargeError
from edge.mqtt.command_format import VERB_PATTERN, VerbHandler, ping, reply_to
from edge.mqtt.connection import Connection, Message, MessageReceived, PubackReceived
from edge.mqtt.payloads import Topics

log = logging.getLogger(__name__)

#: Number of replies that may be in flight, that is, sent and not yet acknowledged.
MAX_REPLIES_IN_FLIGHT = 5


class CommandResponder:
    """Answers the commands of one device. Not thread-safe: use it from one thread."""

    def __init__(self, topics: Topics, verbs: Mapping[str, VerbHandler]) -> None:
        """Answer `ping` and each of `verbs`, which maps a verb to its handler."""
        self._topics = topics
        self._verbs = {"ping": ping, **verbs}
        self._waiting: deque[MessageReceived] = deque()
        self._in_flight: set[int] = set()

    def topic_filters(self, wildcards: bool) -> list[str]:
        """Return the topic filters to subscribe to.

        Without `wildcards`, which not every broker supports, commands with an unknown verb are not
        received and therefore not answered.
        """
        return [self._topics[f"cmd/{verb}"] for verb in (["+"] if wildcards else self._verbs)]

    def start_connection(self) -> None:
        """Forget the commands and replies of the previous connection."""
        self._waiting.clear()
        self._in_flight.clear()

    def enqueue(self, command: MessageReceived) -> None:
        """Queue a command; a message whose topic does not end in a valid verb is ignored."""
        if self._verb(command) is None:
            command.connection.mark_handled()
        else:
            self._waiting.append(command)

    def handle_puback(self, puback: PubackReceived) -> bool:
        """Return whether `puback` acknowledges a reply."""
        if puback.packet_id not in self._in_flight:
            return False
        self._in_flight.remove(puback.packet_id)
        return True

    def send_waiting(self, connection: Connection) -> None:
        """Answer waiting commands in order.

        The rest waits once the maximum number of replies is in flight, or the connection has no
        room.
        """
        while (
            self._waiting
            and len(self._in_flight) < MAX_REPLIES_IN_FLIGHT
            and connection.window.free
        ):
            command = self._waiting.popleft()
            verb = self._verb(command) or ""
            reply = reply_to(verb, command.payload, self._verbs)
            body = json.dumps(reply, separators=(",", ":"))
            message = Message(self._topics[f"reply/{verb}"], body, qos=1, retain=False)
            try:
                self._in_flight.add(connection.publish(message))
            except PacketTooLargeError as error:
                log.warning("a command is not answered: %s", error)
            connection.mark_handled()

    def _verb(self, command: MessageReceived) -> str | None:
        """Return the last level of the topic; None if it is not allowed in a reply's topic."""
        verb = command.topic.removeprefix(self._topics["cmd/"])
        return verb if VERB_PATTERN.fullmatch(verb) else None
