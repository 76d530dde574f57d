"""Delivery to the broker: will, birth, retained state, and the outbox drained in order.

One worker thread owns everything here. paho's network thread and the pipeline only
put signals into its queue, so no lock is ever held while paho is called (paho runs
`on_publish` under a lock that `publish` also wants). Each connection is a new paho
client: what was on its way when a connection broke is still in the outbox, and paho
must not remember it a second time.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho

from edge.connection import (
    CONNECT_TIMEOUT_S,
    Broker,
    LoginRefusedError,
    new_client,
    why_refused,
    why_silent,
    why_unreachable,
)
from edge.errors import UserError
from edge.outbox import Outbox, Pending
from edge.payloads import Topics

log = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
#: Events that may be on their way unacknowledged; MQTT keeps their order.
WINDOW = 20
#: Waits between attempts double from the first to the last, each with up to half
#: as much again by chance, so that many devices do not come back in step.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
#: A refused login is not mended by trying harder.
REFUSED_RETRY_S = 60.0


# What the worker is told.


@dataclass(frozen=True)
class _Answered:
    client: paho.Client
    reason: str
    refused: bool


@dataclass(frozen=True)
class _Acknowledged:
    client: paho.Client
    mid: int
    failure: str


@dataclass(frozen=True)
class _Lost:
    client: paho.Client
    reason: str


@dataclass(frozen=True)
class _Retain:
    leaf: str
    body: str
    qos: int


class _Wake:
    """Something in the outbox or in the publisher's flags has changed."""


_Signal = _Answered | _Acknowledged | _Lost | _Retain | _Wake


class Publisher:
    """Keeps one device's side of the broker true, in the background, for ever."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        outbox: Outbox,
        on_delivered: Callable[[int], None] = lambda seq: None,
        wall_clock: Callable[[], float] = time.time,
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
        self._wall_clock = wall_clock
        self._clock = clock
        self._signals: queue.SimpleQueue[_Signal] = queue.SimpleQueue()
        self._retained: dict[str, _Retain] = {}
        self._stop_at_s: float | None = None
        self._client: paho.Client | None = None
        self._on_their_way: dict[int, int] = {}
        self._sent_seq = 0
        self._online_since_s = 0.0
        self._told_unreachable = False
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.acknowledged = 0
        self.connections = 0
        #: Why the newest attempt failed, or None while connected.
        self.failure: UserError | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection stands."""
        return self._client is not None and self.failure is None and self.connections > 0

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
        self._stop_at_s = self._clock() + timeout_s
        self.wake()
        self._thread.join(timeout_s + CONNECT_TIMEOUT_S + 1.0)

    # The worker: everything below runs in its thread only.

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._is_over():
            try:
                self._connect()
                retry_s = FIRST_RETRY_S
                self._serve()
            except LoginRefusedError as error:
                retry_s = REFUSED_RETRY_S
                self._tell_failure(error)
            except UserError as error:
                self._tell_failure(error)
            except Exception:
                # Events are safe in the outbox; giving up here would keep them there.
                log.exception("unexpected failure while delivering; trying again")
            finally:
                self._drop_client()
            self._rest(retry_s * (1.0 + random.random() / 2.0))
            retry_s = min(LAST_RETRY_S, 2.0 * retry_s)

    def _connect(self) -> None:
        client = new_client(self._broker, f"mask-patrol-{self._topics.device}")
        client.will_set(self._topics["status"], OFFLINE, qos=1, retain=True)
        put = self._signals.put
        client.on_connect = lambda c, _u, _f, reason, _p: put(
            _Answered(c, str(reason), reason.is_failure)
        )
        client.on_publish = lambda c, _u, mid, reason, _p: put(
            _Acknowledged(c, mid, str(reason) if reason.is_failure else "")
        )
        client.on_disconnect = lambda c, _u, _f, reason, _p: put(_Lost(c, str(reason)))
        self._client = client
        try:
            client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise UserError(why_unreachable(self._broker, error)) from None
        client.loop_start()
        deadline_s = self._clock() + CONNECT_TIMEOUT_S
        while (left_s := deadline_s - self._clock()) > 0.0:
            signal = self._next(left_s)
            if isinstance(signal, _Answered) and signal.client is client:
                if signal.refused:
                    raise LoginRefusedError(why_refused(self._broker, signal.reason))
                self._greet()
                return
            if isinstance(signal, _Lost) and signal.client is client:
                break
            self._remember(signal)
        raise UserError(why_silent(self._broker))

    def _greet(self) -> None:
        log.info("connected to the broker at %s", self._broker.address)
        self.failure, self._told_unreachable = None, False
        self.connections += 1
        self._online_since_s = self._wall_clock()
        self._on_their_way.clear()
        self._sent_seq = 0
        self._publish("status", ONLINE, qos=1)
        for message in self._retained.values():
            self._publish(message.leaf, message.body, message.qos)

    def _serve(self) -> None:
        """Send and take acknowledgements until the connection is lost or we stop."""
        while True:
            self._send_waiting()
            if self._stop_at_s is not None and (self._is_over() or not self._on_their_way):
                self._say_goodbye()
                return
            left_s = None if self._stop_at_s is None else self._stop_at_s - self._clock()
            signal = self._next(left_s)
            if isinstance(signal, _Retain):
                self._remember(signal)
                self._publish(signal.leaf, signal.body, signal.qos)
            elif isinstance(signal, _Acknowledged) and signal.client is self._client:
                self._take_acknowledgement(signal)
            elif isinstance(signal, _Lost) and signal.client is self._client:
                raise UserError(
                    f"connection to the broker at {self._broker.address} lost: {signal.reason}"
                )

    def _send_waiting(self) -> None:
        room = WINDOW - len(self._on_their_way)
        for pending in self._outbox.pending(self._sent_seq, room) if room > 0 else ():
            mid = self._publish("events", self._body(pending), qos=1, retain=False)
            self._on_their_way[mid] = pending.seq
            self._sent_seq = pending.seq

    def _body(self, pending: Pending) -> str:
        replayed = pending.committed_at_s < self._online_since_s
        return json.dumps(
            {**pending.payload, "seq": pending.seq, "replayed": replayed}, separators=(",", ":")
        )

    def _take_acknowledgement(self, signal: _Acknowledged) -> None:
        seq = self._on_their_way.pop(signal.mid, None)
        if seq is None:
            return
        if signal.failure:
            raise UserError(
                f"the broker at {self._broker.address} does not take events: {signal.failure};"
                f" is this device allowed to write to {self._topics['events']}?"
            )
        self._outbox.remove(seq)
        self.acknowledged += 1
        self._on_delivered(seq)

    def _say_goodbye(self) -> None:
        """A clean disconnect keeps the broker from sending the will: say it ourselves."""
        assert self._client is not None
        farewell = self._client.publish(self._topics["status"], OFFLINE, qos=1, retain=True)
        try:
            farewell.wait_for_publish(1.0)
        except (RuntimeError, ValueError):
            log.debug("the connection broke while saying goodbye")
        self._client.disconnect()

    def _publish(self, leaf: str, body: str, qos: int, retain: bool = True) -> int:
        assert self._client is not None
        return self._client.publish(self._topics[leaf], body, qos=qos, retain=retain).mid

    def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _tell_failure(self, error: UserError) -> None:
        # The stop cuts the connection too; that is no failure to report.
        self.failure = error
        if self._told_unreachable:
            log.debug("%s", error)
            return
        self._told_unreachable = True
        log.warning("%s; events wait in %s and go out when it takes them", error, self._outbox.path)

    def _rest(self, seconds: float) -> None:
        until_s = self._clock() + seconds
        while not self._is_over() and (left_s := until_s - self._clock()) > 0.0:
            if self._stop_at_s is not None:
                left_s = min(left_s, self._stop_at_s - self._clock(), FIRST_RETRY_S)
                until_s = min(until_s, self._clock() + left_s)
            self._remember(self._next(left_s))

    def _remember(self, signal: _Signal | None) -> None:
        if isinstance(signal, _Retain):
            self._retained[signal.leaf] = signal

    def _next(self, timeout_s: float | None) -> _Signal | None:
        try:
            return self._signals.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            return None

    def _is_over(self) -> bool:
        """Stopping, and either nothing is left to deliver or the time is up."""
        if self._stop_at_s is None:
            return False
        return self._clock() >= self._stop_at_s or (
            self._outbox.depth() == 0 and self._client is None
        )
