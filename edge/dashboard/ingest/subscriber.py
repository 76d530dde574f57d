"""The dashboard's connection to the broker: everything that the devices say, and no loss.

Its session outlives connections, so what is published while we are away waits at the broker;
and an event is acknowledged only when it is kept (`ReceivedMessage.done`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.common.errors import UserError
from edge.dashboard.ingest.validation import LEAVES
from edge.mqtt.broker import (
    CONNECT_TIMEOUT_S,
    Broker,
    closed_before_connack_error,
    connack_error,
    connection_lost_error,
    new_client,
    no_connack_error,
    unreachable_error,
)
from edge.mqtt.protocol_version import ProtocolVersion

log = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 0.25, 10.0
#: How long the broker keeps for us what comes while we are away.
SESSION_S = 7 * 86_400
LEAVE_S = 1.0
#: Events that may be on their way to the database.
RECEIVE_MAXIMUM = 1000
#: What is larger the broker need not send; it must be well above what we take, as what is
#: refused is counted.
MAX_PACKET_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class ReceivedMessage:
    """A message, and what to call when it is dealt with: before that it may come again."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    done: Callable[[], None]


class Subscriber:
    """Stays connected, in a thread of its own."""

    def __init__(
        self,
        broker: Broker,
        base: str,
        name: str,
        take: Callable[[ReceivedMessage | None], None],
        tell: Callable[[bool, str], None],
        shared: str = "",
    ) -> None:
        """`name` is this dashboard's own and lasts; `take` is given each message (None: one
        whose topic is no text), from another thread; `tell` whether we are connected, and if
        not why; `shared` is the group that shares the events, if there is one."""
        self._broker = broker
        self._base = base
        self._take = take
        self._tell = tell
        self._shared = shared
        # What a session is subscribed to stays: another base or group is another session.
        kind = hashlib.sha256(f"{base}/{shared}".encode()).hexdigest()[:6]
        self._client_id = f"mask-patrol-dashboard-{name}-{kind}"
        self._dialect = ProtocolVersion(broker.version)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)
        self._said = ""
        self._leaves = False

    def start(self) -> None:
        """Connect in the background, again and again."""
        self._thread.start()

    def stop(self, leaves: bool = False) -> None:
        """Disconnect; what comes from now on waits at the broker. `leaves`: the group that
        shares the events first, so that its others get ours at once."""
        self._leaves = leaves
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S)

    def _run(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stopped.is_set():
            try:
                connection = _Connection(self)
                try:
                    if connection.open():
                        delay_s = FIRST_DELAY_S
                    connection.wait()
                finally:
                    connection.close()
            except UserError as error:
                self._say(str(error))
            except Exception as error:
                log.exception("the subscriber failed unexpectedly")
                self._say(f"unexpected: {type(error).__name__}")
            if self._stopped.wait(delay_s):
                break
            delay_s = min(MAX_DELAY_S, 2 * delay_s)
        self._tell(False, "stopped")

    def _say(self, why: str) -> None:
        self._tell(False, why)
        if why != self._said:
            log.warning("%s", why)
        self._said = why

    def _connected(self) -> None:
        log.info("connected to the broker at %s", self._broker.address)
        self._said = ""
        self._tell(True, "")

    def subscriptions(self, speaks_5: bool) -> list[tuple[str, int, bool]]:
        """Topic, QoS, and whether a message keeps the mark that it is retained.

        Only events must not be lost; of the rest the broker holds the newest for us anyway.
        """
        shared = f"$share/{self._shared}/" if self._shared and speaks_5 else ""
        return [
            (f"{shared}{self._base}/+/events", 1, True),
            *((f"{self._base}/+/{leaf}", 0, False) for leaf in LEAVES if leaf != "events"),
        ]


class _Connection:
    """One connection, from CONNECT to its end."""

    def __init__(self, owner: Subscriber) -> None:
        self._owner = owner
        self._broker = owner._broker
        protocol = owner._dialect.protocol()
        self._speaks_5 = protocol == MQTTProtocolVersion.MQTTv5
        self._answered = threading.Event()
        self._ended = threading.Event()
        self._failure: UserError | None = None
        self._accepted = False
        client = new_client(
            self._broker, owner._client_id, protocol=protocol, persistent_session=True
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client: paho.Client = client

    def open(self) -> bool:
        """Connect and subscribe; raises UserError when that fails."""
        broker = self._broker
        more: dict[str, Any] = {}
        if self._speaks_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            more = {"clean_start": False, "properties": properties}
        try:
            self._client.connect(broker.host, broker.port, broker.keepalive_s, **more)
        except (OSError, ValueError) as error:
            raise unreachable_error(broker, error) from None
        self._client.loop_start()
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._answered.wait(0.1):
            if self._owner._stopped.is_set() or self._ended.is_set():
                break
            if time.monotonic() > deadline_s:
                self._owner._dialect.unanswered()
                raise no_connack_error(broker)
        if self._failure is not None:
            raise self._failure
        if self._ended.is_set() and not self._accepted:
            self._owner._dialect.unanswered()
            raise closed_before_connack_error(broker)
        return self._accepted

    def wait(self) -> None:
        """Until it ends, or we are stopped; raises UserError for what it ended of."""
        while not self._ended.wait(0.1):
            if self._owner._stopped.is_set():
                return
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End it, and paho's thread."""
        if self._owner._leaves and self._accepted and not self._ended.is_set():
            left = threading.Event()
            self._client.on_unsubscribe = lambda *_: left.set()
            self._client.unsubscribe(self._owner.subscriptions(self._speaks_5)[0][0])
            left.wait(LEAVE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            if not self._owner._dialect.refused(reason):
                self._fail(connack_error(self._broker, reason))
            self._ended.set()
            return
        self._owner._dialect.accepted()
        self._accepted = True
        wanted = self._owner.subscriptions(self._speaks_5)
        if self._speaks_5:
            client.subscribe(
                [
                    (topic, SubscribeOptions(qos=qos, retainAsPublished=marked))
                    for topic, qos, marked in wanted
                ]
            )
        else:
            if self._owner._shared:
                log.warning(
                    "the broker speaks MQTT 3.1.1 only: the events are not shared, each"
                    " dashboard gets them all"
                )
            client.subscribe([(topic, qos) for topic, qos, _ in wanted])

    def _on_subscribe(self, _c: Any, _d: Any, _m: int, reasons: list[ReasonCode], _p: Any) -> None:
        wanted = self._owner.subscriptions(self._speaks_5)
        refused = [w[0] for w, reason in zip(wanted, reasons, strict=False) if reason.is_failure]
        if refused:
            self._fail(
                UserError(
                    f"the broker at {self._broker.address} does not let us read"
                    f" {', '.join(refused)}: see its ACL"
                )
            )
            self._ended.set()
        else:
            self._owner._connected()
        self._answered.set()

    def _on_disconnect(self, _c: Any, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
        if self._accepted and self._failure is None:
            self._failure = connection_lost_error(self._broker, reason, self._owner._client_id)
        self._ended.set()

    def _fail(self, error: UserError) -> None:
        self._failure = error
        self._answered.set()

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        """Called by paho, whose thread ends at any error that leaves here."""
        mid, qos = message.mid, message.qos

        def done() -> None:
            # Of a connection that has ended it does nothing, and the message comes again.
            client.ack(mid, qos)

        try:
            topic = message.topic
        except UnicodeDecodeError:
            done()
            self._owner._take(None)
            return
        self._owner._take(ReceivedMessage(topic, bytes(message.payload), message.retain, qos, done))
