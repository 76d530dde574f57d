"""One connection to the broker, from CONNECT to its end.

Each connection is a new paho client: what was on its way when a connection broke is
still in the outbox, and paho must not remember it a second time. Callbacks only put
signals into a queue, so no lock is ever held while paho is called (paho runs
`on_publish` under a lock that `publish` also wants).
"""

from __future__ import annotations

import contextlib
import math
import queue
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.mqtt.broker import Broker, TooLargeError, new_client, why_unreachable
from edge.mqtt.command_format import MAX_BYTES

#: How long the broker may take to acknowledge our farewell.
FAREWELL_S = 1.0
#: Messages to us that may wait; beyond that they are dropped, as memory has an end.
MAX_WAITING = 100
#: What a broker of MQTT 5 may send us at most, in bytes; in 3.1.1 there is no such limit.
MAX_PACKET_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answered:
    """The broker's CONNACK; `max_bytes` is the largest packet that it takes, if it says so."""

    session: Connection
    reason: ReasonCode
    max_bytes: int | None


@dataclass(frozen=True)
class Acknowledged:
    """The broker's PUBACK; `failure` is empty, or why it did not take the message.

    Only MQTT 5 can tell a failure: in 3.1.1 a message that the broker's rules forbid is
    acknowledged like any other and thrown away.
    """

    session: Connection
    mid: int
    failure: str


@dataclass(frozen=True)
class Subscribed:
    """The broker's SUBACK; `refused` are the topics that its rules forbid."""

    session: Connection
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Received:
    """A message to us that is not a retained one, cut off after `MAX_BYTES` + 1."""

    session: Connection
    topic: str
    payload: bytes


@dataclass(frozen=True)
class Crowded:
    """Messages to us are being dropped, as too many wait; said once a session."""

    session: Connection


@dataclass(frozen=True)
class Lost:
    """The connection is gone; `reason` as in MQTT 5, in which a broker may tell it."""

    session: Connection
    reason: ReasonCode


Signal = Answered | Acknowledged | Subscribed | Received | Crowded | Lost


@dataclass(frozen=True)
class Message:
    """What is published, on a topic in full."""

    topic: str
    body: str
    qos: int
    retain: bool

    @property
    def packet_bytes(self) -> int:
        """The size of its PUBLISH in MQTT 5, without properties."""
        rest = 2 + len(self.topic.encode()) + 2 * (self.qos > 0) + 1 + len(self.body.encode())
        length = 1 + sum(rest >= 1 << bits for bits in (7, 14, 21))
        return 1 + length + rest


class Connection:
    """A connection that leaves a last word with the broker for when it breaks."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        will: Message,
        protocol: MQTTProtocolVersion,
        signals: queue.SimpleQueue[Signal],
    ) -> None:
        """Nothing is sent before `open`; what happens then is put into `signals`.

        Raises UserError when a file of certificates cannot be used.
        """
        self._broker = broker
        self._will = will
        self._signals = signals
        self._speaks_5 = protocol == MQTTProtocolVersion.MQTTv5
        self._topics: Sequence[str] = ()
        self._room = threading.BoundedSemaphore(MAX_WAITING)
        self._crowded = False
        self._parted = False
        #: The largest packet that the broker takes; infinite where it does not say so.
        self.max_bytes = math.inf
        client = new_client(broker, client_id, protocol=protocol)
        client.will_set(will.topic, will.body, will.qos, will.retain)
        client.on_connect = lambda _c, _u, _f, reason, told: signals.put(
            Answered(self, reason, getattr(told, "MaximumPacketSize", None))
        )
        client.on_publish = lambda _c, _u, mid, reason, _p: signals.put(
            Acknowledged(self, mid, str(reason) if reason.is_failure else "")
        )
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: signals.put(
            Subscribed(self, self._refused(reasons))
        )
        client.on_message = lambda _c, _u, message: self._take(message)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: signals.put(Lost(self, reason))
        self._client: paho.Client = client

    @property
    def version(self) -> str:
        """The version of MQTT that is spoken: `5` or `3.1.1`."""
        return "5" if self._speaks_5 else "3.1.1"

    def open(self) -> None:
        """Connect; `Answered` follows. Raises UserError when nobody is there."""
        broker = self._broker
        limits = None
        if self._speaks_5:
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MAX_PACKET_BYTES
        try:
            self._client.connect(broker.host, broker.port, broker.keepalive_s, properties=limits)
        except (OSError, ValueError) as error:
            failure = why_unreachable(broker, error)
        else:
            self._client.loop_start()
            return
        # Not above: the failure is kept, and with it would be what it was raised from, whose
        # traceback holds paho's client and its sockets.
        raise failure

    def publish(self, message: Message) -> int:
        """Send; returns the number that the PUBACK will bear.

        Raises TooLargeError, and sends nothing, when the broker takes no packets so large:
        it would end the connection.
        """
        if (size := message.packet_bytes) > self.max_bytes:
            raise TooLargeError(
                f"the broker at {self._broker.address} takes messages of {self.max_bytes} bytes"
                f" at most, and one on {message.topic} has {size}: raise its limit"
                " (max_packet_size in mosquitto.conf)"
            )
        return self._client.publish(
            message.topic, message.body, qos=message.qos, retain=message.retain
        ).mid

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for what others publish on `topics`; `Subscribed` follows, once a session.

        Retained messages are not for us. In MQTT 5 none are sent, and one that somebody
        publishes while we listen bears its mark, as we ask for. In 3.1.1 the broker sends
        those that it keeps with the mark, but takes it off one that is published while we
        listen: that one cannot be told from others.
        """
        self._topics = topics
        if self._speaks_5:
            options = SubscribeOptions(
                qos=1,
                retainAsPublished=True,
                retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def dealt_with(self) -> None:
        """A message that was received waits no more: there is room for another."""
        self._room.release()

    def say_goodbye(self) -> None:
        """A clean disconnect keeps the broker from sending the will: say it ourselves first.

        Unless the broker acknowledges that, the will has to say it.
        """
        will = self._will
        farewell = self._client.publish(will.topic, will.body, qos=will.qos, retain=will.retain)
        try:
            farewell.wait_for_publish(FAREWELL_S)
            self._parted = farewell.is_published()
        except (RuntimeError, ValueError):
            return  # the connection broke meanwhile
        if self._parted:
            self._client.disconnect()

    def close(self) -> None:
        """End the connection and paho's thread; without a goodbye the broker sends the will.

        Nothing else may be called after this.
        """
        client = self._client
        connection = client.socket()
        if not self._parted and isinstance(connection, socket.socket):
            # Of the class, as an encrypted one's own method takes it from paho's hands.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        # paho's thread may end, and be forgotten, while it is being waited for.
        with contextlib.suppress(AttributeError):
            client.loop_stop()
        # We hold each other, and signals hold us: but for this its sockets would stay open
        # until the garbage collector comes by.
        client.on_connect = client.on_publish = client.on_subscribe = None
        client.on_message = client.on_disconnect = None
        del self._client

    def _refused(self, reasons: Sequence[ReasonCode]) -> tuple[str, ...]:
        return tuple(
            topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure
        )

    def _take(self, message: paho.MQTTMessage) -> None:
        """Called by paho, whose thread ends at any error that leaves here."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if message.retain:
            return
        if self._room.acquire(blocking=False):
            payload = bytes(message.payload[: MAX_BYTES + 1])
            self._signals.put(Received(self, topic, payload))
        elif not self._crowded:
            self._crowded = True
            self._signals.put(Crowded(self))
