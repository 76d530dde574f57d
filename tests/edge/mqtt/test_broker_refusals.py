"""What a broker does not take, and whom it throws out: told once, and nothing is lost."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.mqtt.broker import PacketTooLargeError, SessionTakenOverError
from edge.mqtt.connection import (
    ConnackReceived,
    Connection,
    Disconnected,
    Message,
    PubackReceived,
    Signal,
)
from edge.outbox.outbox import Outbox
from tests.support.brokers import PATIENCE_S, Mosquitto, Subscriber, wait_until
from tests.support.publishers import Start
from tests.support.tcp_relay import Relay

STOP_S = 5.0
MAX_BYTES = 400
TAKEN_OVER = b"\xe0\x01\x8e"


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path, more=(f"max_packet_size {MAX_BYTES}",)).start()
    yield server
    server.stop()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_an_event_that_is_too_large_is_kept_and_told_once_and_those_before_it_arrive(
    strict: Mosquitto,
    outbox: Outbox,
    start: Start,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.REFUSED_DELAY_S", 0.2)
    listener = Subscriber(strict.broker)
    outbox.put({"n": 1})
    outbox.put({"n": 2, "pad": MAX_BYTES * "x"})
    outbox.put({"n": 3})
    publisher = start(strict.broker)
    wait_until(lambda: publisher.connections == 3, "tried again")
    assert isinstance(publisher.failure, PacketTooLargeError) or publisher.connected
    assert outbox.depth() == 2
    publisher.stop(0.0)
    assert [e["n"] for e in listener.bodies("events")] == [1]
    listener.wait_for(lambda: listener.bodies("status")[-1] == "offline", "offline")
    (text,) = warnings(caplog)
    assert f"accepts messages of {MAX_BYTES} bytes at most" in text
    assert "maskpatrol/door1/events has 4" in text
    assert "max_packet_size" in text
    listener.close()


def test_what_is_too_large_and_no_event_is_left_out_and_stops_nothing(
    strict: Mosquitto, outbox: Outbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = start(strict.broker)
    for n in range(3):
        publisher.retain("health", {"n": n, "pad": MAX_BYTES * "x"}, qos=0)
    publisher.retain("state", {"people": 1}, qos=1)
    outbox.put({"n": 1})
    publisher.wake()
    wait_until(lambda: outbox.depth() == 0, "delivered")
    assert publisher.connections == 1
    assert publisher.connected
    (text,) = warnings(caplog)
    assert "/health has" in text
    assert "not published" in text


@pytest.mark.parametrize("over", [0, 3])  # mosquitto does not count the first bytes
def test_sizes_are_reckoned_as_the_broker_does(strict: Mosquitto, over: int) -> None:
    signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    will = Message("t", "gone", 1, True)
    connection = Connection(strict.broker, "x", will, MQTTProtocolVersion.MQTTv5, signals)
    connection.open()
    answered = signals.get(timeout=PATIENCE_S)
    assert isinstance(answered, ConnackReceived)
    assert answered.max_bytes == MAX_BYTES
    frame = Message("t", "", 1, False).packet_bytes + 1  # a longer length is a byte more
    message = Message("t", (MAX_BYTES + over - frame) * "x", 1, False)
    assert message.packet_bytes == MAX_BYTES + over
    connection.publish(message)
    answer = signals.get(timeout=PATIENCE_S)
    assert isinstance(answer, Disconnected if over else PubackReceived)
    connection.close()


def test_a_size_that_only_the_broker_knows_is_among_the_reasons_for_being_cut_off(
    strict: Mosquitto, outbox: Outbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """In 3.1.1 it tells neither its limit nor why it ends the connection."""
    outbox.put({"n": 1, "pad": MAX_BYTES * "x"})
    start(replace(strict.broker, version="3.1.1"))
    wait_until(lambda: any("larger than" in text for text in warnings(caplog)), "the hint")
    assert outbox.depth() == 1


def test_a_broker_that_is_restarted_again_and_again_is_not_taken_for_a_double(
    mosquitto: Mosquitto,
    start: Start,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.05)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.05)
    publisher = start(mosquitto.broker)
    for n in range(1, 5):
        wait_until(lambda n=n: publisher.connections == n, "connected")  # type: ignore[misc]
        mosquitto.stop()
        wait_until(lambda: "no broker" in str(publisher.failure), "a failed attempt")
        mosquitto.start()
    assert not any("another device" in text for text in warnings(caplog))


def test_a_double_that_the_broker_tells_of_is_told_at_once(
    mosquitto: Mosquitto, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """As MQTT 5 demands; mosquitto 2.0.11 does not, so a relay says it in its stead."""
    relay = Relay(mosquitto.broker, sends_before_close=TAKEN_OVER)
    first = start(relay.broker)
    wait_until(lambda: first.connected, "connected")
    second = start(mosquitto.broker)
    wait_until(lambda: isinstance(first.failure, SessionTakenOverError), "the first knows")
    second.stop(0.0)
    assert "another device also called 'door1'?" in warnings(caplog)[0]
    relay.close()
