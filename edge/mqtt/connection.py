"""One network connection to the broker, from CONNECT to its end.

Each connection uses a new paho client: events that were in flight when the previous connection
broke are still in the outbox, and paho must not keep a second copy of these events. Callbacks only
put signals into a queue, so no lock is ever held while paho is called (paho runs `on_publish` under
a lock that `publish` also needs).
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.mqtt.broker import Broker, PacketTooLargeError, new_client, unreachable_error
from edge.mqtt.broker_limits import ALL_FEATURES, BrokerLimits, Features
from edge.mqtt.command_format import MAX_COMMAND_BYTES
from edge.mqtt.send_window import MAX_IN_FLIGHT, SendWindow

#: How long `disconnect` waits for the broker to acknowledge the `offline` message.
OFFLINE_ACK_TIMEOUT_S = 1.0
#: Number of received messages that may wait to be handled. Further messages are dropped, to limit
#: the memory in use.
MAX_WAITING_MESSAGES = 100
#: The Maximum Packet Size that is sent to an MQTT 5 broker, in bytes; 3.1.1 has no such limit.
MAX_PACKET_BYTES = 64 * 1024


@dataclass(frozen=True)
class ConnackReceived:
    """The broker's CONNACK, with the limits that it announces."""

    connection: Connection
    reason: ReasonCode
    limits: BrokerLimits


@dataclass(frozen=True)
class PubackReceived:
    """The broker's PUBACK; `failure` is why the broker rejected the message, empty if accepted.

    Only MQTT 5 can report a rejection. In 3.1.1 the broker acknowledges a message that its
    access rules forbid like any other, and discards it. For a message that was sent with QoS 0,
    which no broker acknowledges, this signal means that it was sent.
    """

    connection: Connection
    packet_id: int
    failure: str


@dataclass(frozen=True)
class SubackReceived:
    """The broker's SUBACK; `refused` are the topics that the broker's rules forbid."""

    connection: Connection
    packet_id: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class MessageReceived:
    """A PUBLISH that is not retained; `payload` is cut after `MAX_COMMAND_BYTES` + 1 bytes."""

    connection: Connection
    topic: str
    payload: bytes


@dataclass(frozen=True)
class MessagesDropped:
    """Received messages are being dropped because too many wait.

    This signal is sent at most once per connection.
    """

    connection: Connection


@dataclass(frozen=True)
class Disconnected:
    """The connection has ended; only an MQTT 5 broker can send a specific `reason`."""

    connection: Connection
    reason: ReasonCode


Signal = (
    ConnackReceived
    | PubackReceived
    | SubackReceived
    | MessageReceived
    | MessagesDropped
    | Disconnected
)


@dataclass(frozen=True)
class Message:
    """A message to publish; `topic` is the full topic name."""

    topic: str
    body: str
    qos: int
    retain: bool

    @property
    def packet_bytes(self) -> int:
        """The size in bytes of the message's PUBLISH packet in MQTT 5, without properties."""
        rest = 2 + len(self.topic.encode()) + 2 * (self.qos > 0) + 1 + len(self.body.encode())
        length = 1 + sum(rest >= 1 << bits for bits in (7, 14, 21))
        return 1 + length + rest


class Connection:
    """A connection whose will is `offline`: the broker publishes it if the connection breaks."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        will: Message,
        protocol: MQTTProtocolVersion,
        signals: queue.SimpleQueue[Signal],
        features: Features = ALL_FEATURES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the connection; nothing is sent before `open`.

        Everything that happens on the connection is put into `signals`, from paho's thread. The
        will and all messages are sent without the features that `features` excludes. `clock`
        returns seconds since any fixed point.
        Raises UserError when a certificate file cannot be used.
        """
        self._broker = broker
        self._will = will
        self._signals = signals
        self.is_mqtt_5 = protocol == MQTTProtocolVersion.MQTTv5
        self._topics: Sequence[str] = ()
        self._free_places = threading.BoundedSemaphore(MAX_WAITING_MESSAGES)
        self._drop_reported = False
        self._disconnected = False
        #: What the broker allows, and the features in use; `accept` sets them.
        self.limits, self.features = BrokerLimits(), features
        #: Whether the broker has shown that it accepts what we send with `features`.
        self.proven = False
        #: The messages that the broker has not acknowledged yet.
        self.window = SendWindow(clock)
        client = new_client(broker, client_id, protocol=protocol)
        # `window` is never larger, so paho itself holds no message back.
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.will_set(
            will.topic, will.body, min(will.qos, features.qos), will.retain and features.retain
        )
        client.on_connect = lambda _c, _u, _f, reason, properties: signals.put(
            ConnackReceived(self, reason, BrokerLimits.from_properties(properties))
        )
        client.on_publish = lambda _c, _u, packet_id, reason, _p: signals.put(
            PubackReceived(self, packet_id, str(reason) if reason.is_failure else "")
        )
        client.on_subscribe = lambda _c, _u, packet_id, reasons, _p: signals.put(
            SubackReceived(self, packet_id, self._refused_topics(reasons))
        )
        client.on_message = lambda _c, _u, message: self._on_message(message)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: signals.put(
            Disconnected(self, reason)
        )
        self._client: paho.Client = client

    @property
    def version(self) -> str:
        """The MQTT version of this connection: `5` or `3.1.1`."""
        return "5" if self.is_mqtt_5 else "3.1.1"

    def open(self) -> None:
        """Open the connection and send CONNECT; the broker's answer is a `ConnackReceived`.

        Raises UserError when the broker cannot be reached.
        """
        broker = self._broker
        limits = None
        if self.is_mqtt_5:
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MAX_PACKET_BYTES
        try:
            self._client.connect(broker.host, broker.port, broker.keepalive_s, properties=limits)
        except (OSError, ValueError) as error:
            failure = unreachable_error(broker, error)
        else:
            self._client.loop_start()
            return
        # Not raised inside `except`: the publisher keeps this error, and the error would keep its
        # context, whose traceback references paho's client and its sockets.
        raise failure

    def accept(self, limits: BrokerLimits) -> None:
        """Keep to the limits in the broker's CONNACK from now on."""
        self.limits = limits
        self.features = self.features.within(limits)
        self.window.limit(limits.receive_maximum)

    def has_room(self, message: Message) -> bool:
        """Return whether `publish` may be called: whether the window has room for `message`."""
        return self.window.free > 0 or not self._qos(message)

    def publish(self, message: Message) -> int:
        """Send a message and return its packet identifier, which its PUBACK repeats.

        Must be called only if `has_room`. Raises PacketTooLargeError, and sends nothing, when the
        packet is larger than the broker accepts: the broker would close the connection.
        """
        if (size := message.packet_bytes) > (max_bytes := self.limits.max_packet_bytes):
            raise PacketTooLargeError(
                f"the broker at {self._broker.address} accepts messages of {max_bytes} bytes"
                f" at most, and one on {message.topic} has {size}: raise its limit"
                " (max_packet_size in mosquitto.conf)"
            )
        packet_id = self._publish(message).mid
        if self._qos(message):
            self.window.add(packet_id)
        return packet_id

    def _publish(self, message: Message) -> paho.MQTTMessageInfo:
        retain = message.retain and self.features.retain
        return self._client.publish(message.topic, message.body, self._qos(message), retain)

    def _qos(self, message: Message) -> int:
        return min(message.qos, self.features.qos)

    def subscribe(self, topics: Sequence[str]) -> int:
        """Subscribe to `topics`, once per connection; return the packet identifier.

        The answer is a `SubackReceived` with this identifier.

        Retained messages are to be ignored. In MQTT 5 the subscription asks the broker not to send
        them, and to keep the retain flag on retained messages that are published while we are
        subscribed. In 3.1.1 the broker sends its stored retained messages with the flag set, but
        clears the flag of a message that is published while we are subscribed: such a message
        cannot be recognised as retained.
        """
        self._topics = topics
        if self.is_mqtt_5:
            options = SubscribeOptions(
                qos=1,
                retainAsPublished=True,
                retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            _, packet_id = self._client.subscribe([(topic, options) for topic in topics])
        else:
            _, packet_id = self._client.subscribe([(topic, 1) for topic in topics])
        return packet_id or 0

    def mark_handled(self) -> None:
        """Report that a received message was handled, which frees a place for another message."""
        self._free_places.release()

    def disconnect(self) -> None:
        """Publish the will's message (`offline`), then send DISCONNECT.

        The broker does not publish the will after a DISCONNECT, so we publish its message
        first. If the window has no room for it, or if the broker does not acknowledge it within
        `OFFLINE_ACK_TIMEOUT_S`, no DISCONNECT is sent, and the broker publishes the will after
        `close`.
        """
        if not self.has_room(self._will):
            return
        offline = self._publish(self._will)
        try:
            offline.wait_for_publish(OFFLINE_ACK_TIMEOUT_S)
            self._disconnected = offline.is_published()
        except (RuntimeError, ValueError):
            return  # the connection broke in the meantime
        if self._disconnected:
            self._client.disconnect()

    def close(self) -> None:
        """Close the socket and end paho's thread; nothing else may be called afterwards.

        Without an earlier, successful `disconnect` the broker publishes the will.
        """
        client = self._client
        connection = client.socket()
        if not self._disconnected and isinstance(connection, socket.socket):
            # Called on the class: the method of an SSLSocket would also unwrap it, while
            # paho's thread is still using it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        # loop_stop raises AttributeError if paho's thread ends, and is set to None, while
        # loop_stop is joining it.
        with contextlib.suppress(AttributeError):
            client.loop_stop()
        # The client and this object reference each other, and queued signals reference this
        # object: without breaking that cycle the sockets would stay open until the garbage
        # collector runs.
        client.on_connect = client.on_publish = client.on_subscribe = None
        client.on_message = client.on_disconnect = None
        del self._client

    def _refused_topics(self, reasons: Sequence[ReasonCode]) -> tuple[str, ...]:
        if len(reasons) != len(self._topics):  # such an answer grants nothing
            return tuple(self._topics)
        return tuple(
            topic for topic, reason in zip(self._topics, reasons, strict=True) if reason.is_failure
        )

    def _on_message(self, message: paho.MQTTMessage) -> None:
        """Queue a received message. Must not raise: any exception would end paho's thread."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if message.retain:
            return
        if self._free_places.acquire(blocking=False):
            payload = bytes(message.payload[: MAX_COMMAND_BYTES + 1])
            self._signals.put(MessageReceived(self, topic, payload))
        elif not self._drop_reported:
            self._drop_reported = True
            self._signals.put(MessagesDropped(self))
