from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.mqtt.broker import Broker, PacketTooLargeError, RefusedError
from edge.mqtt.broker_limits import BrokerLimits
from edge.mqtt.connection import ConnackReceived, Connection, Message, PubackReceived, Signal
from edge.mqtt.outbox_sender import OutboxSender
from edge.mqtt.payloads import Topics
from edge.mqtt.send_window import MAX_IN_FLIGHT
from edge.outbox.outbox import Outbox
from tests.support.clock import MomentClock
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.waiting import PATIENCE_S

WILL = Message("maskpatrol/door1/status", "offline", qos=1, retain=True)


@dataclass
class Bench:
    """A sender with an outbox, a connection, and a clock that the test sets."""

    broker: Broker
    outbox_path: Path
    delivered: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = MomentClock()
        self.outbox = Outbox(self.outbox_path, 1000, clock=self.clock)
        self.sender = OutboxSender(
            self.broker,
            Topics("maskpatrol", "door1"),
            self.outbox,
            lambda seq, seconds: self.delivered.append((seq, seconds)),
            moment=self.clock,
        )
        self.connection = self.connect()

    def connect(self) -> Connection:
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        v5 = MQTTProtocolVersion.MQTTv5
        connection = Connection(self.broker, "mask-patrol-door1", WILL, v5, self._signals)
        connection.open()
        assert isinstance(self._signals.get(timeout=PATIENCE_S), ConnackReceived)
        return connection

    def put(self, n: int, padding: str = "") -> None:
        self.outbox.put({"n": n, "clock_synced": True, "padding": padding})

    def send(self) -> None:
        self.sender.send_waiting(self.connection)

    def handle_puback(self) -> None:
        """Wait for the broker's next PUBACK and pass it to the sender."""
        signal = self._signals.get(timeout=PATIENCE_S)
        assert isinstance(signal, PubackReceived)
        self.connection.window.acknowledge(signal.packet_id)
        self.sender.handle_puback(signal)

    def close(self) -> None:
        self.connection.close()
        self.outbox.close()


@pytest.fixture
def bench(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Bench]:
    found = Bench(mosquitto.broker, tmp_path / "outbox.sqlite3")
    yield found
    found.close()


def test_acknowledged_event_is_removed(bench: Bench) -> None:
    bench.put(0)
    bench.send()
    assert not bench.sender.finished
    bench.handle_puback()
    assert bench.sender.finished
    assert (bench.outbox.depth(), bench.sender.acknowledged) == (0, 1)


def test_number_of_events_in_flight_is_limited(bench: Bench, subscriber: Subscriber) -> None:
    for n in range(MAX_IN_FLIGHT + 2):
        bench.put(n)
    bench.send()
    bench.send()
    assert len(bench.sender._in_flight) == MAX_IN_FLIGHT
    bench.handle_puback()
    bench.send()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == MAX_IN_FLIGHT + 1, "one more")
    numbers = [event["n"] for event in subscriber.bodies("events")]
    assert numbers == list(range(MAX_IN_FLIGHT + 1))


def test_unacknowledged_event_is_sent_again_after_reconnect(
    bench: Bench, subscriber: Subscriber
) -> None:
    bench.put(0)
    bench.send()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the first copy")
    bench.connection.close()
    bench.connection = bench.connect()
    bench.sender.start_connection()
    bench.send()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the second copy")
    assert [event["seq"] for event in subscriber.bodies("events")] == [1, 1]


def test_delivery_time_is_reported(bench: Bench) -> None:
    bench.clock.advance(1.0)
    bench.put(0)
    bench.send()
    bench.clock.advance(0.25)
    bench.handle_puback()
    assert bench.delivered == [(1, 0.25)]


def test_delivery_time_excludes_events_before_the_connection(bench: Bench) -> None:
    bench.put(0)
    bench.clock.advance(1.0)
    bench.sender.start_connection()
    bench.send()
    bench.handle_puback()
    assert bench.delivered == []


def test_event_waits_for_room_in_the_window(bench: Bench) -> None:
    bench.connection.accept(BrokerLimits(receive_maximum=1))
    for n in range(2):
        bench.put(n)
    bench.send()
    bench.handle_puback()
    assert not bench.sender.finished
    bench.send()
    bench.handle_puback()
    bench.send()
    assert bench.sender.finished
    assert bench.outbox.depth() == 0


def test_rejected_event_is_kept(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, acl="topic read maskpatrol/#\n").start()
    bench = Bench(server.broker, tmp_path / "outbox.sqlite3")
    bench.put(0)
    bench.send()
    with pytest.raises(RefusedError, match="allowed to write to maskpatrol/door1/events"):
        bench.handle_puback()
    assert bench.outbox.depth() == 1
    bench.close()
    server.stop()


def test_too_large_event_is_reported_after_earlier_ones(bench: Bench) -> None:
    bench.connection.accept(BrokerLimits(max_packet_bytes=300))
    bench.put(0)
    bench.put(1, "x" * 400)
    bench.send()
    bench.handle_puback()
    with pytest.raises(PacketTooLargeError):
        bench.send()
    assert bench.outbox.depth() == 1
