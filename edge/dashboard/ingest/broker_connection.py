"""One network connection of the dashboard to the broker, from CONNECT to its end."""

from __future__ import annotations

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

#: How long the broker keeps the session, with the events queued in it, without a connection.
SESSION_EXPIRY_S = 7 * 86_400
UNSUBSCRIBE_TIMEOUT_S = 1.0
#: Where the user name and the password come from (see `edge.dashboard.broker_account`).
ACCOUNT = (
    "dashboard.mqtt_username and dashboard.mqtt_password_file (of the installed service: the files"
    " in /etc/mask-patrol-dashboard)"
)
#: How many events the broker may send before the first of them is acknowledged.
RECEIVE_MAXIMUM = 1000
#: The broker does not send larger packets. It must be well above the largest message that the
#: dashboard accepts, so that messages that are too large still arrive and are counted as refused.
MAX_PACKET_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class ReceivedMessage:
    """A message, and the function that acknowledges it.

    Until `acknowledge` is called, the broker may send the message again.
    """

    topic: str
    payload: bytes
    retained: bool
    qos: int
    acknowledge: Callable[[], None]


@dataclass(frozen=True)
class Subscription:
    """A topic filter, its QoS, and whether forwarded messages keep their RETAIN flag."""

    topic_filter: str
    qos: int
    retain_as_published: bool


@dataclass(frozen=True)
class MqttSession:
    """The MQTT session that all connections of one dashboard resume."""

    broker: Broker
    client_id: str
    #: The first level of all topics.
    base: str
    #: The shared subscription group that divides the events among dashboards; empty if none.
    group: str = ""

    def subscriptions(self, is_mqtt_5: bool) -> list[Subscription]:
        """Return the subscriptions, that of the events first.

        Only events are subscribed to with QoS 1. The other messages are retained, so the broker
        sends the newest one of each again after a reconnect.
        """
        shared = f"$share/{self.group}/" if self.group and is_mqtt_5 else ""
        return [
            Subscription(f"{shared}{self.base}/+/events", 1, True),
            *(
                Subscription(f"{self.base}/+/{leaf}", 0, False)
                for leaf in LEAVES
                if leaf != "events"
            ),
        ]


@dataclass(frozen=True)
class ConnectionCallbacks:
    """The functions that a connection calls; it calls the first two from paho's thread."""

    #: The broker has granted all subscriptions.
    connected: Callable[[], None]
    #: A message has arrived; None stands for a message with a topic that is not UTF-8.
    received: Callable[[ReceivedMessage | None], None]
    #: Return whether the connection should be closed.
    is_stopping: Callable[[], bool]


class BrokerConnection:
    """Connects, subscribes, and passes on messages until the connection ends."""

    def __init__(
        self, session: MqttSession, version: ProtocolVersion, callbacks: ConnectionCallbacks
    ) -> None:
        """Prepare a connection in the MQTT version that `version` chooses."""
        self._session = session
        self._broker = session.broker
        self._version = version
        self._callbacks = callbacks
        protocol = version.protocol()
        self._is_mqtt_5 = protocol == MQTTProtocolVersion.MQTTv5
        self._answered = threading.Event()
        self._ended = threading.Event()
        self._failure: UserError | None = None
        self._accepted = False
        client = new_client(
            self._broker, session.client_id, protocol=protocol, persistent_session=True
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client: paho.Client = client

    def open(self) -> bool:
        """Connect and subscribe; return False if `is_stopping` returns True before this is done.

        Raises UserError when connecting or subscribing fails.
        """
        broker = self._broker
        options: dict[str, Any] = {}
        if self._is_mqtt_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            options = {"clean_start": False, "properties": properties}
        try:
            self._client.connect(broker.host, broker.port, broker.keepalive_s, **options)
        except (OSError, ValueError) as error:
            raise unreachable_error(broker, error) from None
        self._client.loop_start()
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._answered.wait(0.1):
            if self._callbacks.is_stopping() or self._ended.is_set():
                break
            if time.monotonic() > deadline_s:
                self._version.unanswered()
                raise no_connack_error(broker)
        if self._failure is not None:
            raise self._failure
        if self._ended.is_set() and not self._accepted:
            self._version.unanswered()
            raise closed_before_connack_error(broker)
        return self._accepted

    def wait(self) -> None:
        """Block until the connection ends or must be closed; raises UserError after a failure."""
        while not self._ended.wait(0.1):
            if self._callbacks.is_stopping():
                return
        if self._failure is not None:
            raise self._failure

    def close(self, leave_group: bool = False) -> None:
        """Disconnect and stop paho's thread.

        With `leave_group`, unsubscribe from the events first, so that the broker sends them to
        the other dashboards of the group at once.
        """
        if leave_group and self._accepted and not self._ended.is_set():
            unsubscribed = threading.Event()
            self._client.on_unsubscribe = lambda *_: unsubscribed.set()
            events = self._session.subscriptions(self._is_mqtt_5)[0]
            self._client.unsubscribe(events.topic_filter)
            unsubscribed.wait(UNSUBSCRIBE_TIMEOUT_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            if not self._version.refused(reason):
                self._fail(connack_error(self._broker, reason, account=ACCOUNT))
            self._ended.set()
            return
        self._version.accepted()
        self._accepted = True
        subscriptions = self._session.subscriptions(self._is_mqtt_5)
        if self._is_mqtt_5:
            client.subscribe(
                [
                    (
                        each.topic_filter,
                        SubscribeOptions(qos=each.qos, retainAsPublished=each.retain_as_published),
                    )
                    for each in subscriptions
                ]
            )
        else:
            if self._session.group:
                log.warning(
                    "the broker supports MQTT 3.1.1 only, which has no shared subscriptions: each"
                    " dashboard receives all events"
                )
            client.subscribe([(each.topic_filter, each.qos) for each in subscriptions])

    def _on_subscribe(self, _c: Any, _d: Any, _m: int, reasons: list[ReasonCode], _p: Any) -> None:
        subscriptions = self._session.subscriptions(self._is_mqtt_5)
        refused = [each.topic_filter for each in subscriptions]
        if len(reasons) == len(subscriptions):  # any other answer grants nothing
            refused = [
                each.topic_filter
                for each, reason in zip(subscriptions, reasons, strict=True)
                if reason.is_failure
            ]
        if refused:
            self._fail(
                UserError(
                    f"the broker at {self._broker.address} does not allow the dashboard to"
                    f" subscribe to {', '.join(refused)}: change the broker's ACL"
                )
            )
            self._ended.set()
        else:
            self._callbacks.connected()
        self._answered.set()

    def _on_disconnect(self, _c: Any, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
        if self._accepted and self._failure is None:
            self._failure = connection_lost_error(self._broker, reason, self._session.client_id)
        self._ended.set()

    def _fail(self, error: UserError) -> None:
        self._failure = error
        self._answered.set()

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        """Pass a message on; an exception here would end paho's thread."""
        mid, qos = message.mid, message.qos

        def acknowledge() -> None:
            # After the connection has ended this does nothing, and the broker sends the message
            # again on the next connection.
            client.ack(mid, qos)

        try:
            topic = message.topic
        except UnicodeDecodeError:
            acknowledge()
            self._callbacks.received(None)
            return
        payload = bytes(message.payload)
        self._callbacks.received(ReceivedMessage(topic, payload, message.retain, qos, acknowledge))
