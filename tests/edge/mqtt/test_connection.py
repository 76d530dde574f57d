from __future__ import annotations

import queue
from pathlib import Path
from typing import TypeVar

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.common.errors import UserError
from edge.mqtt.broker import Broker, PacketTooLargeError
from edge.mqtt.broker_limits import BrokerLimits
from edge.mqtt.command_format import MAX_COMMAND_BYTES
from edge.mqtt.connection import (
    MAX_WAITING_MESSAGES,
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
from tests.support.mqtt.brokers import Mosquitto, Subscriber, mosquitto_without_subscriptions
from tests.support.mqtt.limited_broker import LimitedBroker, Limits
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
WILL = Message("maskpatrol/door1/status", "offline", qos=1, retain=True)
MAX_BYTES = 400

Signals = queue.SimpleQueue[Signal]
S = TypeVar("S", bound=Signal)


def next_signal(signals: Signals, kind: type[S]) -> S:
    """Return the next signal of `kind`, and skip the others."""
    while True:
        signal = signals.get(timeout=PATIENCE_S)
        if isinstance(signal, kind):
            return signal


def opened(broker: Broker, signals: Signals, protocol: MQTTProtocolVersion = V5) -> Connection:
    connection = Connection(broker, "mask-patrol-door1", WILL, protocol, signals)
    connection.open()
    assert not next_signal(signals, ConnackReceived).reason.is_failure
    return connection


@pytest.mark.parametrize("protocol", [V5, V311])
def test_published_message_is_acknowledged(
    mosquitto: Mosquitto, subscriber: Subscriber, protocol: MQTTProtocolVersion
) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals, protocol)
    packet_id = connection.publish(Message("maskpatrol/door1/events", "{}", qos=1, retain=False))
    assert next_signal(signals, PubackReceived) == PubackReceived(connection, packet_id, "")
    subscriber.wait_for(lambda: subscriber.bodies("events") == [{}], "the message")
    connection.close()


def test_rejected_message_has_a_failure(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, acl="topic read maskpatrol/#\n").start()
    signals: Signals = queue.SimpleQueue()
    connection = opened(server.broker, signals)
    connection.publish(Message("maskpatrol/door1/events", "{}", qos=1, retain=False))
    assert next_signal(signals, PubackReceived).failure == "Not authorized"
    connection.close()
    server.stop()


def test_unreachable_broker_raises_user_error() -> None:
    broker = Broker("127.0.0.1", free_port())
    connection = Connection(broker, "x", WILL, V5, queue.SimpleQueue())
    with pytest.raises(UserError, match="no broker at"):
        connection.open()
    connection.close()


def test_refused_subscription_names_its_topic(tmp_path: Path) -> None:
    server = mosquitto_without_subscriptions(tmp_path).start()
    signals: Signals = queue.SimpleQueue()
    connection = opened(server.broker, signals)
    connection.subscribe(["maskpatrol/door1/cmd/+"])
    assert next_signal(signals, SubackReceived).refused == ("maskpatrol/door1/cmd/+",)
    connection.close()
    server.stop()


@pytest.mark.parametrize("protocol", [V5, V311])
@pytest.mark.parametrize("codes", [0, 1])
def test_answer_without_all_reason_codes_is_a_refusal(
    protocol: MQTTProtocolVersion, codes: int
) -> None:
    server = LimitedBroker(Limits(max_suback_codes=codes))
    signals: Signals = queue.SimpleQueue()
    connection = opened(server.broker, signals, protocol)
    connection.subscribe(["a", "b"])
    assert next_signal(signals, SubackReceived).refused == ("a", "b")
    connection.close()
    server.close()


def test_long_message_is_cut(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals)
    connection.subscribe(["maskpatrol/door1/cmd/+"])
    next_signal(signals, SubackReceived)
    subscriber.client.publish("maskpatrol/door1/cmd/ping", b"x" * 5000, qos=1)
    received = next_signal(signals, MessageReceived)
    assert received.topic == "maskpatrol/door1/cmd/ping"
    assert received.payload == b"x" * (MAX_COMMAND_BYTES + 1)
    connection.close()


def test_messages_beyond_the_limit_are_dropped(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals)
    connection.subscribe(["maskpatrol/door1/cmd/+"])
    next_signal(signals, SubackReceived)
    for n in range(MAX_WAITING_MESSAGES + 1):
        subscriber.client.publish("maskpatrol/door1/cmd/ping", str(n), qos=1)
    received = [next_signal(signals, MessageReceived) for _ in range(MAX_WAITING_MESSAGES)]
    assert [int(message.payload) for message in received] == list(range(MAX_WAITING_MESSAGES))
    next_signal(signals, MessagesDropped)
    connection.mark_handled()
    subscriber.client.publish("maskpatrol/door1/cmd/ping", "next", qos=1)
    assert next_signal(signals, MessageReceived).payload == b"next"
    connection.close()


def test_disconnect_publishes_offline(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals)
    connection.disconnect()
    connection.close()
    subscriber.wait_for(lambda: bool(subscriber.bodies("status")), "offline")
    assert subscriber.bodies("status") == ["offline"]


def test_broker_publishes_will_after_close(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals)
    connection.close()
    subscriber.wait_for(lambda: bool(subscriber.bodies("status")), "the will")
    assert subscriber.bodies("status") == ["offline"]


def test_stopped_broker_disconnects(mosquitto: Mosquitto) -> None:
    signals: Signals = queue.SimpleQueue()
    connection = opened(mosquitto.broker, signals)
    mosquitto.stop()
    assert next_signal(signals, Disconnected).connection is connection
    connection.close()


@pytest.mark.parametrize("over", [0, 3])  # mosquitto's limit excludes the header of 3 bytes
def test_packet_size_is_computed_as_the_broker_does(tmp_path: Path, over: int) -> None:
    server = Mosquitto(tmp_path, more=(f"max_packet_size {MAX_BYTES}",)).start()
    signals: Signals = queue.SimpleQueue()
    connection = Connection(server.broker, "x", WILL, V5, signals)
    connection.open()
    assert next_signal(signals, ConnackReceived).limits.max_packet_bytes == MAX_BYTES
    # A packet of more than 127 bytes has a remaining length of two bytes instead of one.
    overhead = Message("t", "", 1, False).packet_bytes + 1
    message = Message("t", (MAX_BYTES + over - overhead) * "x", 1, False)
    assert message.packet_bytes == MAX_BYTES + over
    connection.publish(message)
    answer = signals.get(timeout=PATIENCE_S)
    assert isinstance(answer, Disconnected if over else PubackReceived)
    connection.close()
    server.stop()


def test_packet_above_the_limit_is_not_sent(mosquitto: Mosquitto) -> None:
    connection = opened(mosquitto.broker, queue.SimpleQueue())
    connection.accept(BrokerLimits(max_packet_bytes=MAX_BYTES))
    with pytest.raises(PacketTooLargeError, match="accepts messages of 400 bytes at most"):
        connection.publish(Message("t", MAX_BYTES * "x", qos=1, retain=False))
    connection.close()
