"""Delivers to the broker: the device's status, retained messages, the outbox's events, replies.

One worker thread does all of this. The pipeline and the connections only put items into its queue.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge.common.clock import Moment, now
from edge.common.errors import UserError
from edge.mqtt.broker import (
    Broker,
    ConnectionLostError,
    RefusedError,
    UnexplainedLossError,
    connection_lost_error,
)
from edge.mqtt.command_format import VerbHandler
from edge.mqtt.command_responder import CommandResponder
from edge.mqtt.connection import (
    Connection,
    Disconnected,
    Message,
    MessageReceived,
    MessagesDropped,
    PubackReceived,
    Signal,
    SubackReceived,
)
from edge.mqtt.connector import Connector
from edge.mqtt.failure_log import FailureLog
from edge.mqtt.home_assistant import BIRTH_PAYLOAD, BIRTH_TOPIC, Announcement
from edge.mqtt.outbox_sender import OutboxSender
from edge.mqtt.payloads import Topics
from edge.mqtt.reconnect_backoff import FIRST_DELAY_S, ReconnectBackoff
from edge.mqtt.retained_sender import RetainedSender
from edge.mqtt.sender_rotation import SenderRotation
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
        self._failures = FailureLog(broker, self._client_id, outbox.path)
        self._retained = RetainedSender(self._failures.log_left_out)
        self._sender = OutboxSender(broker, topics, outbox, on_delivered, moment)
        self._responder = CommandResponder(topics, verbs or {})
        self._senders = SenderRotation((self._retained, self._sender, self._responder))
        self._announcement = announcement
        self._clock = clock
        self._queue = WorkerQueue(clock)
        will = Message(topics["status"], OFFLINE, qos=1, retain=True)
        self._connector = Connector(broker, self._client_id, will, self._queue, clock)
        self._backoff = ReconnectBackoff()
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
            connection = self._connector.connect()
            try:
                self._publish_presence(connection)
                self._serve(connection)
            except RefusedError:
                connection.disconnect()
                raise
            except ConnectionLostError as error:
                self._connector.record_loss(connection, error)
                raise
            finally:
                connection.close()
        except UserError as error:
            return error
        return None

    def _publish_presence(self, connection: Connection) -> None:
        """Subscribe to commands and publish `online` and all retained messages."""
        client_id = connection.limits.client_id or self._client_id
        log.info("connected to the broker at %s as %s", self._broker.address, client_id)
        self.failure, self.connected, self._connected_s = None, True, self._clock()
        self.connections += 1
        self.version = connection.version
        self._senders.start_connection()
        online = Message(self._topics["status"], ONLINE, qos=1, retain=True)
        self._retained.enqueue(online)
        if connection.features.qos:
            # Subscribe before `online` is published, so that a client that sees `online` can send a
            # command at once.
            self._subscribe(connection)
        else:
            # Nothing is acknowledged. The answer to a subscription that follows `online` shows that
            # the broker has accepted `online`; no event is sent before that.
            self._retained.send_waiting(connection)
            connection.window.add(self._subscribe(connection))
        for message in self._queue.retained.values():
            self._retained.enqueue(message)
        self._announce()

    def _subscribe(self, connection: Connection) -> int:
        topics = self._responder.topic_filters(connection.limits.wildcards_available)
        birth_topics = [BIRTH_TOPIC] if self._announcement else []
        return connection.subscribe([*topics, *birth_topics])

    def _announce(self) -> None:
        if self._announcement is not None:
            message = _retained_message(self._announcement.topic, self._announcement.body, qos=1)
            self._retained.enqueue(message)

    def _serve(self, connection: Connection) -> None:
        """Send all kinds of messages and handle signals until we stop.

        Raises ConnectionLostError when the connection is lost or acknowledges nothing, and
        RefusedError when the broker rejects an event.
        """
        while True:
            self._senders.send_waiting(connection)
            if self._queue.stopping and self._may_disconnect(connection):
                connection.disconnect()
                return
            if (ack_left_s := connection.window.ack_time_left_s()) <= 0.0:
                raise ConnectionLostError(
                    f"the broker at {self._broker.address} does not acknowledge any message"
                )
            item = self._queue.take(min(self._queue.time_left_s(), ack_left_s))
            if isinstance(item, PublishRetained):
                self._retained.enqueue(item.message)
            elif isinstance(item, Signal) and item.connection is connection:
                self._handle(item)

    def _handle(self, signal: Signal) -> None:
        """Handle a signal of the current connection.

        Raises ConnectionLostError for `Disconnected`, RefusedError for a rejected event.
        """
        match signal:
            case PubackReceived(connection, packet_id):
                connection.window.acknowledge(packet_id)
                if connection.features.qos:
                    self._record_success(connection)
                self._senders.handle_puback(signal)
            case MessageReceived(connection, topic, payload) if topic == BIRTH_TOPIC:
                connection.mark_handled()
                if payload == BIRTH_PAYLOAD:
                    self._announce()
            case MessageReceived():
                self._responder.enqueue(signal)
            case MessagesDropped():
                self._failures.log_dropped_commands()
            case SubackReceived(connection, packet_id, refused):
                connection.window.acknowledge(packet_id)
                if not connection.features.qos:
                    self._record_success(connection)
                if refused:
                    self._failures.log_refused_subscription(refused)
            case Disconnected(connection, reason):
                client_id = connection.limits.client_id or self._client_id
                raise connection_lost_error(self._broker, reason, client_id)

    def _record_success(self, connection: Connection) -> None:
        """Record that the broker accepts what is sent on `connection`, when this is first known."""
        if not connection.proven:
            connection.proven = True
            self._connector.record_success(connection)
            self._failures.log_missing_features(connection.features)

    def _wait(self, seconds: float) -> None:
        """Wait between two attempts; a stop request shortens the wait."""
        until_s = self._clock() + seconds
        while (left_s := until_s - self._clock()) > 0.0:
            if self._queue.stopping:
                left_s = min(left_s, FIRST_DELAY_S, self._queue.time_left_s())
                until_s = self._clock() + left_s
            self._queue.take(left_s)

    def _may_disconnect(self, connection: Connection) -> bool:
        """Return whether everything was sent and every event acknowledged, or the time is up.

        There must also be room for `offline`: its acknowledgement shows that the messages before it
        have arrived.
        """
        if self._queue.time_left_s() <= 0.0:
            return True
        events_done = self._sender.finished or self._outbox.depth() == 0
        return self._retained.finished and events_done and connection.window.free > 0

    def _is_finished(self) -> bool:
        """Return whether a stop was requested and no event waits or the time is up."""
        if not self._queue.stopping:
            return False
        return self._queue.time_left_s() <= 0.0 or self._outbox.depth() == 0


def _retained_message(topic: str, body: dict[str, Any], qos: int) -> Message:
    return Message(topic, json.dumps(body, separators=(",", ":")), qos, retain=True)
