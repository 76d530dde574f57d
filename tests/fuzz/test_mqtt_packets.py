"""Packets of a hostile broker: no client of ours crashes, hangs, or loses an event.

The hostile broker answers with damaged packets and closes the connection. An honest broker takes
its place, with which the client must then work. An event may only be missing there if the hostile
broker acknowledged it.
"""

from __future__ import annotations

import json
import logging
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from edge.cli.check import check_round_trip
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.subscriber import Subscriber
from edge.mqtt import reconnect_backoff
from edge.mqtt.alert_subscriber import AlertSubscriber
from edge.mqtt.broker import Broker
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer
from tests.support.fuzz.refusals import refusal
from tests.support.mqtt.event_payloads import START
from tests.support.mqtt.limited_broker import LimitedBroker, Limits
from tests.support.waiting import wait_until

VERSIONS = ("5", "3.1.1")
CONNACK, PUBLISH, SUBACK = 0x20, 0x30, 0x90
ACKNOWLEDGEMENTS = (4, 5, 6, 7)
EVENTS, SENT = "maskpatrol/door1/events", 2
#: An event that no hostile broker sends; its line ends with the end of its `id`.
HONEST = {**START, "id": "door1-00000000020000000000HONEST", "seq": 9}


def text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def packet(head: int, body: bytes) -> bytes:
    """Return a packet whose body has fewer than 16384 bytes."""
    high, low = divmod(len(body), 128)
    return bytes([head, low | 0x80, high] if high else [head, low]) + body


CONNACKS = {"5": packet(CONNACK, b"\x01\x00\x00"), "3.1.1": packet(CONNACK, b"\x00\x00")}
#: Packets that end no connection of a client, whether they are valid or not.
HARMLESS = [
    packet(SUBACK, b"\x00\x01\x00\x01"),
    packet(0x40, b"\x00\x63"),
    packet(0x50, b"\x00\x63"),
    packet(0x70, b"\x00\x63"),
    packet(0xC0, b""),
    packet(0xD0, b""),
    packet(PUBLISH, text(b"maskpatrol/door1/cmd/ping") + b"\x00{}"),
    packet(PUBLISH, text(b"maskpatrol/door1/cmd/ping") + b'\x00{"transaction": 1}'),
    packet(PUBLISH | 2, text(b"maskpatrol/door1/cmd/ping") + b"\x00\x07\x00{"),
    packet(PUBLISH | 2, text(EVENTS.encode()) + b"\x00\x08\x00" + json.dumps(START).encode()),
    packet(PUBLISH, text(b"\xff\xfe/\x00") + b"\x00"),
]
#: Packets that end a connection, at least in one of the versions.
ENDING = [
    packet(CONNACK, b"\x00\x00\x08\x21\x00\x01\x24\x01\x25\x00\x28\x00"),
    packet(CONNACK, b"\x00\x00\x0d\x12" + text(b"a\nb\x1b[2J") + b"\x13\x00\x00"),
    packet(CONNACK, b"\x00\x00\x05\x27\x00\x00\x00\x01"),
    packet(CONNACK, b"\x00\x84\x00"),
    packet(CONNACK, b"\x00\x01"),
    packet(CONNACK, b"\x00\x87\x00"),
    packet(SUBACK, b"\x00\x01"),
    packet(SUBACK, b"\x00\x01\x01"),
    packet(SUBACK, b"\x00\x01\x00\x87\x80\x01\x01\x01"),
    packet(0x40, b"\x00\x02\x97\x00"),
    packet(0x62, b"\x00\x02"),
    packet(0xE0, b"\x8e\x00"),
    packet(0xF0, b"\x18\x00"),
    packet(PUBLISH | 4, text(EVENTS.encode()) + b"\x00\x07\x00" + json.dumps(START).encode()),
    packet(PUBLISH | 6, text(EVENTS.encode()) + b"\x00\x07"),
    packet(PUBLISH, text(b"") + b"\x03\x23\x00\x01"),
]
PACKETS = [*CONNACKS.values(), *ENDING, *HARMLESS]
packets = st.lists(st.sampled_from(PACKETS) | damaged(PACKETS), max_size=5).map(b"".join)


def attacks(version: str) -> st.SearchStrategy[Sequence[bytes]]:
    """Return a strategy for what a hostile broker answers, part by part, from the CONNACK on."""
    connacks = st.just(CONNACKS[version]) | st.sampled_from(ENDING) | damaged(PACKETS[:5])
    return st.tuples(connacks, packets, packets)


def corpus(version: str) -> list[Sequence[bytes]]:
    return [(CONNACKS[version], b"".join(HARMLESS)), *([CONNACKS[version], p] for p in ENDING),
            *([p] for p in ENDING[:3])]  # fmt: skip


def acknowledgements(attack: Sequence[bytes]) -> int:
    """Return how many acknowledgements `attack` contains, as a client reads it."""
    stream, found = b"".join(attack), 0
    while len(stream) > 1:
        size, shift, at = 0, 0, 1
        while at < len(stream):
            size |= (stream[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if stream[at - 1] < 128:
                break
        found += stream[0] >> 4 in ACKNOWLEDGEMENTS
        stream = stream[at + size :]
    return found


class Tracebacks(logging.Handler):
    """Collects unexpected exceptions: those in the log, and those that ended a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        if record.exc_info or not message.isprintable():
            self.found.append(message)

    def thread_ended(self, arguments: Any) -> None:
        self.found.append(f"{arguments.thread}: {arguments.exc_value!r}")


@pytest.fixture
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracebacks]:
    collector = Tracebacks()
    monkeypatch.setattr(threading, "excepthook", collector.thread_ended)
    logging.getLogger("edge").addHandler(collector)
    level = logging.getLogger("edge").level
    logging.getLogger("edge").setLevel(logging.INFO)
    yield collector
    logging.getLogger("edge").setLevel(level)
    logging.getLogger("edge").removeHandler(collector)


@pytest.fixture
def quick_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_DELAY_S", "MAX_DELAY_S", "REFUSED_DELAY_S"):
        monkeypatch.setattr(reconnect_backoff, name, 0.01)
    monkeypatch.setattr("edge.dashboard.ingest.subscriber.FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("edge.dashboard.ingest.subscriber.MAX_DELAY_S", 0.01)


@pytest.mark.usefixtures("quick_reconnects")
@pytest.mark.parametrize("version", VERSIONS)
def test_daemon(fuzzer: Fuzzer, version: str, tmp_path: Path, tracebacks: Tracebacks) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 100)

    def check(attack: Sequence[bytes]) -> None:
        server = LimitedBroker(Limits())
        server.hostile_answers.append(attack)
        broker = Broker("127.0.0.1", server.broker.port, version=version)
        publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
        for left in outbox.pending(0, SENT):  # of a check that failed
            outbox.remove(left.seq)
        seqs = [outbox.put({"n": n}) for n in range(SENT)]
        publisher.start()
        try:
            wait_until(lambda: outbox.depth() == 0, "all events are delivered")
            assert publisher.alive()
        finally:
            publisher.stop(0.0)
            server.close()
        received = [event["seq"] for event in server.bodies("events")]
        assert [seq for seq in seqs if seq in received] == sorted(set(received))
        assert len(set(seqs) - set(received)) <= acknowledgements(attack)
        assert tracebacks.found == []

    try:
        fuzzer.run(check, attacks(version), corpus(version), examples=10, share=0.25)
    finally:
        outbox.close()


@pytest.mark.usefixtures("quick_reconnects")
def test_dashboard(fuzzer: Fuzzer, tracebacks: Tracebacks) -> None:
    def check(given: tuple[str, Sequence[bytes]]) -> None:
        version, attack = given
        server = LimitedBroker(Limits())
        server.hostile_answers.append(attack)
        broker = Broker("127.0.0.1", server.broker.port, version=version)
        received: list[bytes] = []

        def receive(message: ReceivedMessage | None) -> None:
            if message is not None:
                received.append(message.payload)
                message.acknowledge()

        subscriber = Subscriber(broker, "maskpatrol", "desk", receive, lambda *_: None)
        subscriber.start()
        try:
            wait_until(lambda: len(server.filters) >= 5, "the honest broker is subscribed to")
            server.send(EVENTS, b"honest")
            wait_until(lambda: b"honest" in received, "a message of the honest broker")
        finally:
            subscriber.stop()
            server.close()
        assert tracebacks.found == []

    inputs = st.one_of(st.tuples(st.just(version), attacks(version)) for version in VERSIONS)
    # Each packet is tried in one version; the daemon is given each in both.
    both = [(v, each) for n, v in enumerate(VERSIONS) for each in corpus(v)[n::2]]
    fuzzer.run(check, inputs, both, examples=10, share=0.3)


def test_check(fuzzer: Fuzzer, tracebacks: Tracebacks, monkeypatch: pytest.MonkeyPatch) -> None:
    # Most of the attacks end the connection without an answer, for which the command would wait.
    monkeypatch.setattr("edge.cli.check.ROUND_TRIP_TIMEOUT_S", 0.3)

    def check(attack: Sequence[bytes]) -> None:
        server = LimitedBroker(Limits())
        server.hostile_answers.append(attack)
        refusal(lambda: check_round_trip(server.broker, "maskpatrol/door1/check"))
        server.close()
        assert tracebacks.found == []

    fuzzer.run(check, attacks("3.1.1"), corpus("3.1.1"), examples=10, share=0.2)


def test_watch(fuzzer: Fuzzer, tracebacks: Tracebacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.mqtt.alert_subscriber.CONNECT_TIMEOUT_S", 5.0)

    def check(attack: Sequence[bytes]) -> None:
        server = LimitedBroker(Limits())
        server.hostile_answers.append(attack)
        lines: list[str] = []
        watcher = AlertSubscriber(server.broker, "maskpatrol", lines.append)
        watcher._client.reconnect_delay_set(0.02, 0.02)  # type: ignore[arg-type]
        try:
            if refusal(watcher.start) is None:
                wait_until(lambda: bool(server.filters), "the honest broker is subscribed to")
                server.send(EVENTS, json.dumps(HONEST).encode())
                wait_until(lambda: any("HONEST" in line for line in lines), "its event is shown")
        finally:
            watcher.stop()
            server.close()
        assert all(line.isprintable() for line in lines)
        assert tracebacks.found == []

    fuzzer.run(check, attacks("3.1.1"), corpus("3.1.1"), examples=10, share=0.2)
