"""Delivers to the broker: the device's status, retained messages, the outbox's events, replies.

One worker thread does all of this. The pipeline and the connections only put items into its queue.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge.common.clock import Moment, now
from edge.common.errors import UserError
from edge.mqtt.broker import (
    CONNECT_TIMEOUT_S,
    Broker,
    ConnectionLostError,
    PacketTooLargeError,
    RefusedError,
    UnexplainedLossError,
    closed_before_connack_error,
    connack_error,
    connection_lost_error,
    no_connack_error,
)
from edge.mqtt.command_format import VerbHandler
from edge.mqtt.command_responder import CommandResponder
from edge.mqtt.connection import (
    ConnackReceived,
    Connection,
    Disconnected,
    Message,
    MessageReceived,
    MessagesDropped,
    PubackReceived,
    Signal,
    SubackReceived,
)
from edge.mqtt.failure_log import FailureLog
from edge.mqtt.home_assistant import BIRTH_PAYLOAD, BIRTH_TOPIC, Announcement
from edge.mqtt.outbox_sender import OutboxSender
from edge.mqtt.payloads import Topics
from edge.mqtt.protocol_version import ProtocolVersion
from edge.mqtt.reconnect_backoff import FIRST_DELAY_S, ReconnectBackoff
from edge.mqtt.worker_queue import PublishRetained, WorkerQueue
from edge.outbox.outbox import Outbox

log = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
#: How much longer than its time-out `stop` waits for the worker to end. The worker may hang in the
#: system's name resolution; undelivered events are on disk.
JOIN_GRACE_S = 0.5
#: A worker that has not taken from its queue for this long counts as hanging. Resolving a name can
#: take a minute or two, connecting to each of the addresses of that name another
#: `CONNECT_TIMEOUT_S`, and a failing disk can block as well.
HANG_TIMEOUT_S = 300.0


class Publisher:
    """Publishes for one device, in the background, and reconnects until it is stopped."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int, float], None] = lambda seq, seconds: None,
        verbs: Mapping[str, VerbHandler] | None = None,
        announcement: Announcement | None = None,
        moment: Callable[[], Moment] = now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the worker; nothing is connected before `start`.

        `on_delivered` is called for each event with its `seq` and the seconds from its commit to
        the broker's acknowledgement (not for events that waited for the connection). `verbs` maps
        the verb of each command to its handler, besides the built-in `ping`. All of these are
        called from the worker thread. `announcement`, if given, is published at every connect.
        """
        self._broker = broker
        self._topics = topics
        self._client_id = broker.client_id or f"mask-patrol-{topics.device}"
        self._outbox = outbox
        self._sender = OutboxSender(broker, topics, outbox, on_delivered, moment, clock)
        self._responder = CommandResponder(topics, verbs or {})
        self._announcement = announcement
        self._clock = clock
        self._queue = WorkerQueue(clock)
        self._protocol_version = ProtocolVersion(broker.version)
        self._backoff = ReconnectBackoff()
        self._failures = FailureLog(broker, self._client_id, outbox.path)
        self._connected_s = 0.0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.connected = False
        #: How many connections the broker has accepted since the start.
        self.connections = 0
        #: The MQTT version of the connection, `5` or `3.1.1`; None while not connected.
        self.version: str | None = None
        #: Why the newest attempt failed, or None while connected.
        self.failure: UserError | None = None

    @property
    def acknowledged(self) -> int:
        """How many events the broker has acknowledged since the start."""
        return self._sender.acknowledged

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Notify the worker that the outbox holds a new event."""
        self._queue.wake()

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Publish `body` as JSON, retained, now and again at every connect."""
        self._queue.retain(_retained_message(self._topics[leaf], body, qos))

    def stop(self, timeout_s: float) -> None:
        """Deliver waiting events for at most `timeout_s`, publish `offline`, and disconnect."""
        self._queue.stop(timeout_s)
        self._thread.join(max(0.0, self._queue.time_left_s()) + JOIN_GRACE_S)

    def alive(self) -> bool:
        """Return whether the worker is running, with or without a broker; callable from any thread.

        False once the worker has ended unexpectedly or has hung for `HANG_TIMEOUT_S`. True
        before `start` and after `stop`, when no worker is expected.
        """
        if self._thread.ident is None or self._queue.stop_requested:
            return True
        return self._thread.is_alive() and self._queue.since_last_take_s() < HANG_TIMEOUT_S

    # The worker: everything below runs in its thread only.

    def _run(self) -> None:
        while True:
            try:
                if self._is_finished():
                    return
                error = self._run_connection()
            except Exception:
                # The events are safe in the outbox; if the worker ended here, they would never
                # be delivered.
                log.exception("unexpected failure while delivering; trying again")
                error = None
            self._record_end(error)
            refused = isinstance(error, RefusedError)
            if refused and self._queue.stopping:
                return
            self._wait(self._backoff.next_delay_s(refused))

    def _record_end(self, error: UserError | None) -> None:
        """Update the backoff, the log and the public state after a connection or an attempt."""
        lasted_s = self._clock() - self._connected_s if self.connected else 0.0
        if self._backoff.reset_if_stable(lasted_s):
            self._failures.reset()
        elif not self.connected:
            self._backoff.count_unreachable()
        elif isinstance(error, UnexplainedLossError) and self._backoff.count_short_connection():
            self._failures.log_short_connections()
        self.connected, self.version = False, None
        if error is not None:
            self.failure = error
            self._failures.log_failure(error, quiet=self._queue.stopping)

    def _run_connection(self) -> UserError | None:
        """Run one connection from CONNECT to its end.

        Return the error that ended it, or None after a clean disconnect.
        """
        try:
            connection = self._connect()
            try:
                self._publish_presence(connection)
                self._serve(connection)
            except RefusedError:
                connection.disconnect()
                raise
            finally:
                connection.close()
        except UserError as error:
            return error
        return None

    def _connect(self) -> Connection:
        """Return an accepted connection; raises UserError when the broker does not accept one."""
        while True:
            connection = self._new_connection()
            answer = self._open(connection)
            if isinstance(answer, ConnackReceived) and not answer.reason.is_failure:
                self._protocol_version.accepted()
                connection.max_bytes = answer.max_bytes or math.inf
                return connection
            connection.close()
            if not isinstance(answer, ConnackReceived):
                raise self._unanswered_error(answer)
            if not self._protocol_version.refused(answer.reason):
                raise connack_error(self._broker, answer.reason, self._client_id)

    def _new_connection(self) -> Connection:
        will = Message(self._topics["status"], OFFLINE, qos=1, retain=True)
        protocol = self._protocol_version.protocol()
        return Connection(self._broker, self._client_id, will, protocol, self._queue.signals)

    def _open(self, connection: Connection) -> ConnackReceived | Disconnected | None:
        """Open `connection` and return the broker's answer; close it on any exception."""
        try:
            connection.open()
            return self._wait_for_connack(connection)
        except BaseException:
            connection.close()
            raise

    def _unanswered_error(self, answer: Disconnected | None) -> UserError:
        """Return the error for a broker that closed the connection or did not answer in time."""
        if answer is None:
            error = no_connack_error(self._broker)
        else:
            error = closed_before_connack_error(self._broker)
        if not isinstance(error, RefusedError):
            self._protocol_version.unanswered()
        return error

    def _wait_for_connack(self, connection: Connection) -> ConnackReceived | Disconnected | None:
        """Return the broker's answer to CONNECT; None if there is no answer in time."""
        deadline_s = self._clock() + CONNECT_TIMEOUT_S
        while (left_s := min(deadline_s - self._clock(), self._queue.time_left_s())) > 0.0:
            signal = self._queue.take(left_s)
            if (
                isinstance(signal, ConnackReceived | Disconnected)
                and signal.connection is connection
            ):
                return signal
        return None

    def _publish_presence(self, connection: Connection) -> None:
        """Subscribe to commands and publish `online` and all retained messages."""
        log.info("connected to the broker at %s", self._broker.address)
        self.failure, self.connected, self._connected_s = None, True, self._clock()
        self.connections += 1
        self.version = connection.version
        self._sender.start_connection()
        self._responder.start_connection()
        # Subscribe before `online` is published, so that a client that sees `online` can send a
        # command at once.
        birth_topics = [BIRTH_TOPIC] if self._announcement else []
        connection.subscribe([self._responder.topic, *birth_topics])
        connection.publish(Message(self._topics["status"], ONLINE, qos=1, retain=True))
        for message in self._queue.retained.values():
            self._publish_unless_too_large(connection, message)
        self._announce(connection)

    def _announce(self, connection: Connection) -> None:
        if self._announcement is not None:
            message = _retained_message(self._announcement.topic, self._announcement.body, qos=1)
            self._publish_unless_too_large(connection, message)

    def _publish_unless_too_large(self, connection: Connection, message: Message) -> None:
        """Publish a message other than an event; one that is too large must not block events."""
        try:
            connection.publish(message)
        except PacketTooLargeError as error:
            self._failures.log_left_out(error, message.topic)

    def _serve(self, connection: Connection) -> None:
        """Send events and replies and handle signals until we stop.

        Raises ConnectionLostError when the connection is lost or acknowledges nothing, and
        RefusedError when the broker rejects an event.
        """
        while True:
            self._sender.send_waiting(connection)
            if self._queue.stopping and (self._sender.idle or self._is_finished()):
                connection.disconnect()
                return
            self._responder.publish_replies(connection)
            if (ack_left_s := self._sender.ack_time_left_s()) <= 0.0:
                raise ConnectionLostError(
                    f"the broker at {self._broker.address} does not acknowledge any event"
                )
            item = self._queue.take(min(self._queue.time_left_s(), ack_left_s))
            if isinstance(item, PublishRetained):
                self._publish_unless_too_large(connection, item.message)
            elif isinstance(item, Signal) and item.connection is connection:
                self._handle(item)

    def _handle(self, signal: Signal) -> None:
        """Handle a signal of the current connection.

        Raises ConnectionLostError for `Disconnected`, RefusedError for a rejected event.
        """
        match signal:
            case PubackReceived():
                self._responder.handle_puback(signal.packet_id)
                self._sender.handle_puback(signal)
            case MessageReceived(connection, topic, payload) if topic == BIRTH_TOPIC:
                connection.mark_handled()
                if payload == BIRTH_PAYLOAD:
                    self._announce(connection)
            case MessageReceived():
                self._responder.enqueue(signal)
            case MessagesDropped():
                self._failures.log_dropped_commands()
            case SubackReceived(_, refused) if refused:
                self._failures.log_refused_subscription(refused)
            case Disconnected(_, reason):
                raise connection_lost_error(self._broker, reason, self._client_id)

    def _wait(self, seconds: float) -> None:
        """Wait between two attempts; a stop request shortens the wait."""
        until_s = self._clock() + seconds
        while (left_s := until_s - self._clock()) > 0.0:
            if self._queue.stopping:
                left_s = min(left_s, FIRST_DELAY_S, self._queue.time_left_s())
                until_s = self._clock() + left_s
            self._queue.take(left_s)

    def _is_finished(self) -> bool:
        """Return whether a stop was requested and no event waits or the time is up."""
        if not self._queue.stopping:
            return False
        return self._queue.time_left_s() <= 0.0 or self._outbox.depth() == 0


def _retained_message(topic: str, body: dict[str, Any], qos: int) -> Message:
    return Message(topic, json.dumps(body, separators=(",", ":")), qos, retain=True)
