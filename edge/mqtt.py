"""Delivery to the broker: birth, retained state, and the outbox drained in order.

One worker thread owns everything here; the pipeline and the sessions only put signals
into its queue.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.clock import Moment, now
from edge.connection import (
    CONNECT_TIMEOUT_S,
    Broker,
    RefusedError,
    why_not_accepted,
    why_silent,
)
from edge.errors import UserError
from edge.outbox import Outbox
from edge.outbox_file import Pending
from edge.payloads import Topics, published
from edge.session import ONLINE, Acknowledged, Answered, Lost, Session, Signal

log = logging.getLogger(__name__)

#: Events that may be on their way unacknowledged; MQTT keeps their order.
WINDOW = 20
#: Waits between attempts double from the first to the last, each with up to half
#: as much again by chance, so that many devices do not come back in step.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
#: A refused login or event is not mended by trying harder.
REFUSED_RETRY_S = 60.0
#: A connection that lasted so long was a good one: the next failure is a new one, told
#: and retried from the start. Shorter ones are a broker that throws us out each time.
STABLE_S = 30.0
SUSPICIOUS = 3  # so many short connections in a row have a reason worth telling
#: Beyond its time-out, how long `stop` waits for the worker; it may hang in the system's
#: name look-up, and what waits is on disk.
GRACE_S = 1.0
#: Old brokers break off, or say nothing, when spoken to in MQTT 5; so does a broker that is
#: just starting. After so many attempts without an answer 3.1.1 is tried, for one
#: connection: it does not tell when the broker's rules forbid a message.
PATIENCE = 3
#: CONNACK 1 of MQTT 3.1.1 and 0x84 of MQTT 5: the broker knows the other one only.
UNSUPPORTED_PROTOCOL = 132


@dataclass(frozen=True)
class _Retain:
    leaf: str
    body: str
    qos: int


@dataclass(frozen=True)
class _Wake:
    """The outbox has something new."""


@dataclass(frozen=True)
class _Stop:
    """Finish what was asked for before this, then end."""


class _LostError(UserError):
    """The connection ended without our doing."""


class Publisher:
    """Keeps one device's side of the broker true, in the background, for ever."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int], None] = lambda seq: None,
        moment: Callable[[], Moment] = now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before `start`.

        `on_delivered` is told the `seq` of each event that the broker acknowledged,
        from the worker thread.
        """
        self._broker = broker
        self._topics = topics
        self._outbox = outbox
        self._on_delivered = on_delivered
        self._moment = moment
        self._clock = clock
        self._signals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._knows_only_311 = False
        self._unanswered = 0
        self._retained: dict[str, _Retain] = {}
        self._stopping = False
        self._stop_at_s = float("inf")
        self._on_their_way: dict[int, int] = {}
        self._sent_seq = 0
        self._online_since = moment()
        self._told_failure = False
        self._thrown_out = 0
        self._connected_s = 0.0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.connected = False
        self.acknowledged = 0
        self.connections = 0
        #: Why the newest attempt failed, or None while connected.
        self.failure: UserError | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the outbox has something new."""
        self._signals.put(_Wake())

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Publish `body` as JSON, retained, now and again at every connect."""
        self._signals.put(_Retain(leaf, json.dumps(body, separators=(",", ":")), qos))

    def stop(self, timeout_s: float) -> None:
        """Deliver what waits, for at most `timeout_s`, say `offline` and disconnect."""
        self._stop_at_s = min(self._stop_at_s, self._clock() + timeout_s)
        self._signals.put(_Stop())
        self._thread.join(max(0.0, self._stop_at_s - self._clock()) + GRACE_S)

    # The worker: everything below runs in its thread only.

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                if self._is_over():
                    return
                error = self._attempt()
            except Exception:
                # Events are safe in the outbox; giving up here would keep them there.
                log.exception("unexpected failure while delivering; trying again")
                error = None
            if self.connected and self._clock() - self._connected_s >= STABLE_S:
                retry_s, self._told_failure, self._thrown_out = FIRST_RETRY_S, False, 0
            elif isinstance(error, _LostError):
                self._count_thrown_out()
            self.connected = False
            if error is not None:
                self._tell_failure(error)
            if isinstance(error, RefusedError):
                if self._stopping:
                    return
                retry_s = REFUSED_RETRY_S
            self._rest(retry_s * (1.0 + random.random() / 2.0))
            retry_s = min(LAST_RETRY_S, 2.0 * retry_s)

    def _count_thrown_out(self) -> None:
        """Brokers close the older of two connections of one name, most without saying why."""
        self._thrown_out += 1
        if self._thrown_out == SUSPICIOUS:
            log.warning(
                "the broker at %s has cut us off %d times in a row soon after connecting;"
                " is another device also called %r? Give each its own `device`",
                self._broker.address,
                SUSPICIOUS,
                self._topics.device,
            )

    def _attempt(self) -> UserError | None:
        """One connection from first to last; what ended it, None for a farewell."""
        try:
            session = self._connect()
            try:
                self._greet(session)
                self._serve(session)
            except _LostError:
                raise
            except BaseException:
                # We end it, and a clean end keeps the broker from sending the will.
                session.say_goodbye()
                raise
            finally:
                session.close()
        except UserError as error:
            return error
        return None

    def _connect(self) -> Session:
        while True:
            protocol = self._protocol()
            session = Session(self._broker, self._topics, protocol, self._signals)
            try:
                session.open()
                reason = self._answer_to(session)
            except UserError:
                session.close()
                raise
            if reason is not None and not reason.is_failure:
                self._unanswered = 0
                return session
            session.close()
            if reason is None:
                self._unanswered += 1
                raise UserError(why_silent(self._broker))
            if reason.value != UNSUPPORTED_PROTOCOL or self._knows_only_311:
                raise why_not_accepted(self._broker, reason)
            self._knows_only_311 = True

    def _protocol(self) -> MQTTProtocolVersion:
        """MQTT 5, unless configured otherwise or the broker cannot; see `PATIENCE`."""
        version = self._broker.version
        older = self._knows_only_311 or self._unanswered >= PATIENCE
        if version == "3.1.1" or (version == "auto" and older):
            return MQTTProtocolVersion.MQTTv311
        return MQTTProtocolVersion.MQTTv5

    def _answer_to(self, session: Session) -> ReasonCode | None:
        """The broker's answer to CONNECT; None when there is none."""
        deadline_s = self._clock() + CONNECT_TIMEOUT_S
        while (left_s := min(deadline_s, self._stop_at_s) - self._clock()) > 0.0:
            signal = self._next(left_s)
            if isinstance(signal, Answered) and signal.session is session:
                return signal.reason
            if isinstance(signal, Lost) and signal.session is session:
                break
        return None

    def _greet(self, session: Session) -> None:
        log.info("connected to the broker at %s", self._broker.address)
        self.failure, self.connected, self._connected_s = None, True, self._clock()
        self.connections += 1
        self._online_since = self._moment()
        self._on_their_way.clear()
        self._sent_seq = 0
        session.publish("status", ONLINE, qos=1, retain=True)
        for message in self._retained.values():
            session.publish(message.leaf, message.body, message.qos, retain=True)

    def _serve(self, session: Session) -> None:
        """Send and take acknowledgements until the connection is lost or we stop."""
        while True:
            self._send_waiting(session)
            if self._stopping and (not self._on_their_way or self._is_over()):
                session.say_goodbye()
                return
            signal = self._next(self._stop_at_s - self._clock())
            if isinstance(signal, _Retain):
                session.publish(signal.leaf, signal.body, signal.qos, retain=True)
            elif isinstance(signal, Acknowledged) and signal.session is session:
                self._take_acknowledgement(signal)
            elif isinstance(signal, Lost) and signal.session is session:
                raise _LostError(
                    f"connection to the broker at {self._broker.address} lost: {signal.reason}"
                )

    def _send_waiting(self, session: Session) -> None:
        room = WINDOW - len(self._on_their_way)
        for pending in self._outbox.pending(self._sent_seq, room) if room > 0 else ():
            mid = session.publish("events", self._body(pending), qos=1, retain=False)
            self._on_their_way[mid] = pending.seq
            self._sent_seq = pending.seq

    def _body(self, pending: Pending) -> str:
        body = published(pending, self._online_since, self._moment())
        return json.dumps(body, separators=(",", ":"))

    def _take_acknowledgement(self, signal: Acknowledged) -> None:
        seq = self._on_their_way.pop(signal.mid, None)
        if seq is None:
            return
        if signal.failure:
            raise RefusedError(
                f"the broker at {self._broker.address} does not take events: {signal.failure};"
                f" is this device allowed to write to {self._topics['events']}?"
            )
        self._outbox.remove(seq)
        self.acknowledged += 1
        self._on_delivered(seq)

    def _tell_failure(self, error: UserError) -> None:
        self.failure = error
        level = logging.DEBUG if self._told_failure or self._stopping else logging.WARNING
        self._told_failure = True
        log.log(
            level, "%s; events wait in %s and go out when it takes them", error, self._outbox.path
        )

    def _rest(self, seconds: float) -> None:
        """Wait between two attempts; a stop makes it short."""
        until_s = self._clock() + seconds
        while (left_s := until_s - self._clock()) > 0.0:
            if self._stopping:
                left_s = min(left_s, FIRST_RETRY_S, self._stop_at_s - self._clock())
                until_s = self._clock() + left_s
            self._next(left_s)

    def _next(self, timeout_s: float) -> Signal | _Retain | _Wake | _Stop | None:
        """The next signal, None when there is none in time; what must be remembered is."""
        try:
            signal = self._signals.get(timeout=min(max(0.0, timeout_s), threading.TIMEOUT_MAX))
        except queue.Empty:
            return None
        if isinstance(signal, _Retain):
            self._retained[signal.leaf] = signal
        elif isinstance(signal, _Stop):
            self._stopping = True
        return signal  # type: ignore[no-any-return]

    def _is_over(self) -> bool:
        """Stopping, and either nothing is left to deliver or the time is up."""
        if not self._stopping:
            return False
        return self._clock() >= self._stop_at_s or self._outbox.depth() == 0
