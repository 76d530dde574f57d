"""Delivery to the broker: birth, retained state, the outbox drained in order, and replies.

One worker thread owns everything here; the pipeline and the sessions only put signals
into its queue.
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
    CutOffError,
    LostError,
    RefusedError,
    TooLargeError,
    why_broken_off,
    why_lost,
    why_not_accepted,
    why_silent,
)
from edge.mqtt.command_format import Verb
from edge.mqtt.command_responder import CommandResponder
from edge.mqtt.connection import (
    Acknowledged,
    Answered,
    Connection,
    Crowded,
    Lost,
    Message,
    Received,
    Signal,
    Subscribed,
)
from edge.mqtt.failure_log import FailureLog
from edge.mqtt.home_assistant import BIRTH_TOPIC, BORN, Announcement
from edge.mqtt.outbox_sender import OutboxSender
from edge.mqtt.payloads import Topics
from edge.mqtt.protocol_version import ProtocolVersion
from edge.mqtt.reconnect_backoff import FIRST_RETRY_S, ReconnectBackoff
from edge.mqtt.worker_queue import Retain, WorkerQueue
from edge.outbox.outbox import Outbox

log = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
#: Beyond its time-out, how long `stop` waits for the worker; it may hang in the system's
#: name look-up, and what waits is on disk.
GRACE_S = 0.5
#: A worker that does not come by its inbox for so long hangs. Looking a name up can take a
#: minute or two, each address of it then `CONNECT_TIMEOUT_S`, a failing disk its time as well.
HUNG_S = 300.0


class Publisher:
    """Keeps one device's side of the broker true, in the background, for ever."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int, float], None] = lambda seq, seconds: None,
        verbs: Mapping[str, Verb] | None = None,
        announcement: Announcement | None = None,
        moment: Callable[[], Moment] = now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before `start`.

        `on_delivered` is told each event's `seq` and how many seconds it took from its commit to
        the broker's acknowledgement (those that waited for the connection are left out), and
        `verbs` (with `ping`, which is built in) are called for commands, all from the
        worker thread. `announcement` is made at every connect, if there is one.
        """
        self._broker = broker
        self._topics = topics
        self._outbox = outbox
        self._drain = OutboxSender(broker, topics, outbox, on_delivered, moment, clock)
        self._desk = CommandResponder(topics, verbs or {})
        self._announcement = announcement
        self._clock = clock
        self._inbox = WorkerQueue(clock)
        self._dialect = ProtocolVersion(broker.version)
        self._pace = ReconnectBackoff()
        self._complaints = FailureLog(broker, topics.device, outbox.path)
        self._connected_s = 0.0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.connected = False
        self.connections = 0
        #: The version of MQTT that is spoken, `5` or `3.1.1`; None while not connected.
        self.version: str | None = None
        #: Why the newest attempt failed, or None while connected.
        self.failure: UserError | None = None

    @property
    def acknowledged(self) -> int:
        """Events that the broker has taken since the start."""
        return self._drain.acknowledged

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the outbox has something new."""
        self._inbox.wake()

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Publish `body` as JSON, retained, now and again at every connect."""
        self._inbox.retain(_message(self._topics[leaf], body, qos))

    def stop(self, timeout_s: float) -> None:
        """Deliver what waits, for at most `timeout_s`, say `offline` and disconnect."""
        self._inbox.stop(timeout_s)
        self._thread.join(max(0.0, self._inbox.time_left_s()) + GRACE_S)

    def alive(self) -> bool:
        """Whether the worker gets on, with or without a broker: False once it has ended by
        itself, or hung for `HUNG_S`. Cheap, and for any thread.

        Before `start` and after `stop` there is nothing to miss.
        """
        if self._thread.ident is None or self._inbox.stop_asked:
            return True
        return self._thread.is_alive() and self._inbox.silence_s() < HUNG_S

    # The worker: everything below runs in its thread only.

    def _run(self) -> None:
        while True:
            try:
                if self._is_over():
                    return
                error = self._attempt()
            except Exception:
                # Events are safe in the outbox; giving up here would keep them there.
                log.exception("unexpected failure while delivering; trying again")
                error = None
            lasted_s = self._clock() - self._connected_s if self.connected else 0.0
            if self._pace.lasted(lasted_s):
                self._complaints.start_afresh()
            elif not self.connected:
                self._pace.unreachable()
            elif isinstance(error, CutOffError) and self._pace.thrown_out():
                self._complaints.thrown_out()
            self.connected, self.version = False, None
            if error is not None:
                self.failure = error
                self._complaints.failed(error, quietly=self._inbox.stopping)
            refused = isinstance(error, RefusedError)
            if refused and self._inbox.stopping:
                return
            self._rest(self._pace.next_wait_s(refused))

    def _attempt(self) -> UserError | None:
        """One connection from first to last; what ended it, None for a farewell."""
        try:
            session = self._connect()
            try:
                self._greet(session)
                self._serve(session)
            except RefusedError:
                session.say_goodbye()
                raise
            finally:
                session.close()
        except UserError as error:
            return error
        return None

    def _connect(self) -> Connection:
        while True:
            will = Message(self._topics["status"], OFFLINE, qos=1, retain=True)
            name = f"mask-patrol-{self._topics.device}"
            protocol = self._dialect.protocol()
            session = Connection(self._broker, name, will, protocol, self._inbox.signals)
            try:
                session.open()
                answer = self._answer_to(session)
            except BaseException:
                session.close()
                raise
            if isinstance(answer, Answered) and not answer.reason.is_failure:
                self._dialect.accepted()
                session.max_bytes = answer.max_bytes or math.inf
                return session
            session.close()
            if isinstance(answer, Answered):
                if not self._dialect.refused(answer.reason):
                    raise why_not_accepted(self._broker, answer.reason)
                continue
            error = why_silent(self._broker) if answer is None else why_broken_off(self._broker)
            if not isinstance(error, RefusedError):
                self._dialect.unanswered()
            raise error

    def _answer_to(self, session: Connection) -> Answered | Lost | None:
        """What comes of CONNECT; None when nothing does."""
        deadline_s = self._clock() + CONNECT_TIMEOUT_S
        while (left_s := min(deadline_s - self._clock(), self._inbox.time_left_s())) > 0.0:
            signal = self._inbox.take(left_s)
            if isinstance(signal, Answered | Lost) and signal.session is session:
                return signal
        return None

    def _greet(self, session: Connection) -> None:
        log.info("connected to the broker at %s", self._broker.address)
        self.failure, self.connected, self._connected_s = None, True, self._clock()
        self.connections += 1
        self.version = session.version
        self._drain.open()
        self._desk.open()
        # First, so that who sees us come online can ask us something.
        session.subscribe([self._desk.topic, *([BIRTH_TOPIC] if self._announcement else [])])
        session.publish(Message(self._topics["status"], ONLINE, qos=1, retain=True))
        for message in self._inbox.retained.values():
            self._publish_if_it_fits(session, message)
        self._announce(session)

    def _announce(self, session: Connection) -> None:
        if self._announcement is not None:
            told = _message(self._announcement.topic, self._announcement.body, qos=1)
            self._publish_if_it_fits(session, told)

    def _publish_if_it_fits(self, session: Connection, message: Message) -> None:
        """What can be done without is no reason to stop the events."""
        try:
            session.publish(message)
        except TooLargeError as error:
            self._complaints.left_out(error, message.topic)

    def _serve(self, session: Connection) -> None:
        """Send, answer and take acknowledgements until the connection is lost or we stop."""
        while True:
            self._drain.send_waiting(session)
            if self._inbox.stopping and (self._drain.idle or self._is_over()):
                session.say_goodbye()
                return
            self._desk.answer_waiting(session)
            if (patience_s := self._drain.patience_s()) <= 0.0:
                raise LostError(f"the broker at {self._broker.address} acknowledges nothing")
            signal = self._inbox.take(min(self._inbox.time_left_s(), patience_s))
            if isinstance(signal, Retain):
                self._publish_if_it_fits(session, signal.message)
            elif isinstance(signal, Signal) and signal.session is session:
                self._heed(signal)

    def _heed(self, signal: Signal) -> None:
        """Act on what the present session signals; raises LostError when it is its end."""
        match signal:
            case Acknowledged():
                self._desk.acknowledged(signal.mid)
                self._drain.take(signal)
            case Received(session, topic, payload) if topic == BIRTH_TOPIC:
                session.dealt_with()
                if payload == BORN:
                    self._announce(session)
            case Received():
                self._desk.take(signal)
            case Crowded():
                self._complaints.crowded()
            case Subscribed(_, refused) if refused:
                self._complaints.deaf(refused)
            case Lost(_, reason):
                raise why_lost(self._broker, reason, self._topics.device)

    def _rest(self, seconds: float) -> None:
        """Wait between two attempts; a stop makes it short."""
        until_s = self._clock() + seconds
        while (left_s := until_s - self._clock()) > 0.0:
            if self._inbox.stopping:
                left_s = min(left_s, FIRST_RETRY_S, self._inbox.time_left_s())
                until_s = self._clock() + left_s
            self._inbox.take(left_s)

    def _is_over(self) -> bool:
        """Stopping, and either nothing is left to deliver or the time is up."""
        if not self._inbox.stopping:
            return False
        return self._inbox.time_left_s() <= 0.0 or self._outbox.depth() == 0


def _message(topic: str, body: dict[str, Any], qos: int) -> Message:
    """What stays with the broker."""
    return Message(topic, json.dumps(body, separators=(",", ":")), qos, retain=True)
