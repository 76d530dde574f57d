"""The desk where commands wait and are answered, a few at a time.

Events share the connection. They never wait behind more than `REPLY_WINDOW` replies, and
neither commands nor replies pile up: the session lets `MAX_WAITING` commands in, and
what a broker does not acknowledge is not followed by more.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Mapping

from edge.mqtt.broker import TooLargeError
from edge.mqtt.command_format import VERB, Verb, answer, ping
from edge.mqtt.connection import Connection, Message, Received
from edge.mqtt.payloads import Topics

log = logging.getLogger(__name__)

#: Replies that may be on their way unacknowledged.
REPLY_WINDOW = 5


class CommandResponder:
    """Takes the commands of one device; its user calls it from one thread."""

    def __init__(self, topics: Topics, verbs: Mapping[str, Verb]) -> None:
        """`verbs` are what can be asked for, beside `ping`."""
        self._topics = topics
        self._verbs = {"ping": ping, **verbs}
        self._waiting: deque[Received] = deque()
        self._on_their_way: set[int] = set()

    @property
    def topic(self) -> str:
        """What to subscribe to."""
        return self._topics["cmd/+"]

    def open(self) -> None:
        """A new connection: what an earlier one asked for and was told is forgotten."""
        self._waiting.clear()
        self._on_their_way.clear()

    def take(self, command: Received) -> None:
        """Let a command wait; what has no verb in its topic is ignored."""
        if self._verb(command) is None:
            command.session.dealt_with()
        else:
            self._waiting.append(command)

    def acknowledged(self, mid: int) -> None:
        """The broker has that reply, if it is one."""
        self._on_their_way.discard(mid)

    def answer_waiting(self, session: Connection) -> None:
        """Answer what waits, in order, as far as there is room."""
        while self._waiting and len(self._on_their_way) < REPLY_WINDOW:
            command = self._waiting.popleft()
            verb = self._verb(command) or ""
            reply = answer(verb, command.payload, self._verbs)
            body = json.dumps(reply, separators=(",", ":"))
            message = Message(self._topics[f"reply/{verb}"], body, qos=1, retain=False)
            try:
                self._on_their_way.add(session.publish(message))
            except TooLargeError as error:
                log.warning("a command is not answered: %s", error)
            session.dealt_with()

    def _verb(self, command: Received) -> str | None:
        """The verb in the topic; None for what could not stand in the reply's."""
        verb = command.topic.removeprefix(self._topics["cmd/"])
        return verb if VERB.fullmatch(verb) else None
