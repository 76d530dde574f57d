"""What a publisher does when the broker rejects messages or closes connections."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.mqtt.broker import PacketTooLargeError, SessionTakenOverError
from edge.outbox.outbox import Outbox
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.publishers import StartPublisher
from tests.support.mqtt.tcp_relay import Relay
from tests.support.waiting import wait_until

MAX_BYTES = 400
#: A DISCONNECT packet of MQTT 5 with the reason code "session taken over".
TAKEN_OVER = b"\xe0\x01\x8e"


@pytest.fixture
def small_packets(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that accepts only packets of up to MAX_BYTES."""
    server = Mosquitto(tmp_path, more=(f"max_packet_size {MAX_BYTES}",)).start()
    yield server
    server.stop()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_too_large_event_is_kept_and_reported_once(
    small_packets: Mosquitto,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events before the too large event are delivered; this event and the events after it wait."""
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.REFUSED_DELAY_S", 0.2)
    listener = Subscriber(small_packets.broker)
    outbox.put({"n": 1})
    outbox.put({"n": 2, "pad": MAX_BYTES * "x"})
    outbox.put({"n": 3})
    publisher = start_publisher(small_packets.broker)
    wait_until(lambda: publisher.connections == 3, "two further attempts")
    assert isinstance(publisher.failure, PacketTooLargeError) or publisher.connected
    assert outbox.depth() == 2
    publisher.stop(0.0)
    assert [e["n"] for e in listener.bodies("events")] == [1]
    listener.wait_for_status("offline")
    (text,) = warnings(caplog)
    assert f"accepts messages of {MAX_BYTES} bytes at most" in text
    assert "maskpatrol/door1/events has 4" in text
    assert "max_packet_size" in text
    listener.close()


def test_other_too_large_message_does_not_stop_events(
    small_packets: Mosquitto,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publisher = start_publisher(small_packets.broker)
    for n in range(3):
        publisher.retain("health", {"n": n, "pad": MAX_BYTES * "x"}, qos=0)
    publisher.retain("state", {"people": 1}, qos=1)
    outbox.put({"n": 1})
    publisher.wake()
    wait_until(lambda: outbox.depth() == 0, "delivery")
    assert publisher.connections == 1
    assert publisher.connected
    (text,) = warnings(caplog)
    assert "/health has" in text
    assert "not published" in text


@pytest.mark.slow
def test_packet_limit_of_3_1_1_broker_is_suspected(
    small_packets: Mosquitto,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In 3.1.1 the broker reports neither its limit nor why it closes the connection."""
    outbox.put({"n": 1, "pad": MAX_BYTES * "x"})
    start_publisher(replace(small_packets.broker, version="3.1.1"))
    wait_until(lambda: any("larger than" in text for text in warnings(caplog)), "the warning")
    assert outbox.depth() == 1


@pytest.mark.slow
def test_restarting_broker_is_not_reported_as_second_device(
    mosquitto: Mosquitto,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.05)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.05)
    publisher = start_publisher(mosquitto.broker)
    for n in range(1, 5):
        wait_until(lambda n=n: publisher.connections == n, "connected")  # type: ignore[misc]
        mosquitto.stop()
        wait_until(lambda: "no broker" in str(publisher.failure), "a failed attempt")
        mosquitto.start()
    assert not any("another client" in text for text in warnings(caplog))


def test_second_device_is_reported_when_session_is_taken_over(
    mosquitto: Mosquitto, start_publisher: StartPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """mosquitto 2.0.11 does not send the reason that MQTT 5 requires, so the relay sends it."""
    relay = Relay(mosquitto.broker, sends_before_close=TAKEN_OVER)
    first = start_publisher(relay.broker)
    wait_until(lambda: first.connected, "connected")
    second = start_publisher(mosquitto.broker)
    wait_until(lambda: isinstance(first.failure, SessionTakenOverError), "the first knows")
    second.stop(0.0)
    assert "with the same client identifier, 'mask-patrol-door1'" in warnings(caplog)[0]
    relay.close()
