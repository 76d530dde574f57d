from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.mqtt.broker_limits import BrokerLimits
from edge.mqtt.connection import ConnackReceived, Connection, Message, PubackReceived, Signal
from edge.mqtt.retained_sender import RetainedSender
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.waiting import PATIENCE_S

Signals = queue.SimpleQueue[Signal]
WILL = Message("maskpatrol/door1/status", "offline", qos=1, retain=True)


def message(leaf: str, body: str, qos: int = 1) -> Message:
    return Message(f"maskpatrol/door1/{leaf}", body, qos, retain=True)


def next_puback(signals: Signals) -> PubackReceived:
    while not isinstance(signal := signals.get(timeout=PATIENCE_S), PubackReceived):
        pass
    return signal


@pytest.fixture
def signals() -> Signals:
    return queue.SimpleQueue()


@pytest.fixture
def connection(mosquitto: Mosquitto, signals: Signals) -> Iterator[Connection]:
    """A connection to a broker that allows one message in flight."""
    v5 = MQTTProtocolVersion.MQTTv5
    found = Connection(mosquitto.broker, "mask-patrol-door1", WILL, v5, signals)
    found.open()
    assert isinstance(signals.get(timeout=PATIENCE_S), ConnackReceived)
    found.accept(BrokerLimits(receive_maximum=1))
    yield found
    found.close()


def test_newest_message_of_each_topic_is_sent(
    connection: Connection, signals: Signals, subscriber: Subscriber
) -> None:
    sender = RetainedSender(lambda error, topic: None)
    for body in ("1", "2", "3"):
        sender.enqueue(message("info", body))
        sender.enqueue(message("state", body))
        sender.send_waiting(connection)
    while not sender.finished:
        puback = next_puback(signals)
        connection.window.acknowledge(puback.packet_id)
        assert sender.handle_puback(puback)
        assert not sender.handle_puback(puback)
        sender.send_waiting(connection)
    subscriber.wait_for(lambda: len(subscriber.bodies("info")) == 2, "the last message")
    assert subscriber.bodies("info") == ["1", "3"]
    assert subscriber.bodies("state") == ["3"]


def test_message_of_qos_0_needs_no_room(connection: Connection, subscriber: Subscriber) -> None:
    sender = RetainedSender(lambda error, topic: None)
    sender.enqueue(message("info", "1"))
    sender.enqueue(message("state", "1"))
    sender.enqueue(message("health", "1", qos=0))
    sender.send_waiting(connection)
    subscriber.wait_for(lambda: bool(subscriber.bodies("health")), "health")
    assert not sender.finished


def test_too_large_message_is_left_out(connection: Connection) -> None:
    left_out: list[str] = []
    connection.accept(BrokerLimits(max_packet_bytes=100))
    sender = RetainedSender(lambda error, topic: left_out.append(topic))
    sender.enqueue(message("info", 100 * "x"))
    sender.send_waiting(connection)
    assert sender.finished
    assert left_out == ["maskpatrol/door1/info"]
