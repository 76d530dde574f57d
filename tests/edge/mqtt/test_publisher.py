from __future__ import annotations

import gc
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.broker import Broker, LoginRefusedError
from edge.mqtt.embedded_broker import EmbeddedBroker
from edge.mqtt.payloads import Topics
from edge.mqtt.protocol_version import MAX_UNANSWERED
from edge.mqtt.publisher import HANG_TIMEOUT_S, Publisher
from edge.mqtt.send_window import MAX_IN_FLIGHT
from edge.mqtt.worker_queue import MAX_WAIT_S
from edge.outbox.outbox import Outbox
from tests.support.clock import MomentClock, RunningClock
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.publishers import StartPublisher
from tests.support.mqtt.tcp_relay import Relay
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until

STOP_S = 5.0


@pytest.mark.slow
def test_delivers_events_in_order_and_empties_outbox(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    publisher = start_publisher(mosquitto.broker)
    for n in range(100):
        outbox.put({"n": n})
        publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 100, "100 events")
    assert [(e["n"], e["seq"]) for e in subscriber.bodies("events")] == [
        (n, n + 1) for n in range(100)
    ]
    wait_until(lambda: outbox.depth() == 0, "all acknowledged")
    assert publisher.acknowledged == 100


@pytest.mark.slow
def test_reconnects_if_nothing_is_acknowledged(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start_publisher: StartPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pings are answered but no PUBACK arrives, as if an error had ended paho's thread."""
    monkeypatch.setattr("edge.mqtt.send_window.ACK_TIMEOUT_S", 0.5)
    relay = Relay(mosquitto.broker, drops_type=0x40)
    publisher = start_publisher(relay.broker)
    outbox.put({"n": 1})
    publisher.wake()
    wait_until(lambda: publisher.connections >= 2, "another connection")
    assert outbox.depth() == 1
    assert {e["seq"] for e in subscriber.bodies("events")} == {1}
    relay.close()


def test_delivers_events_of_a_recovered_disk(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    """The disk holds old events and could not be read when the daemon started."""
    state = tmp_path / "state"
    before = Outbox(state / "outbox.sqlite3", 100)
    for n in range(3):
        before.put({"n": n})
    before.close()
    state.rename(tmp_path / "away")
    state.write_text("no folder")
    clock = MomentClock()
    outbox = Outbox(state / "outbox.sqlite3", 100, clock=clock)
    publisher = Publisher(mosquitto.broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    outbox.put({"n": 10})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the new event")
    state.unlink()
    (tmp_path / "away").rename(state)
    clock.advance(1000.0)
    outbox.run_maintenance()
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4, "the old events")
    assert [event["n"] for event in subscriber.bodies("events")] == [10, 0, 1, 2]
    assert publisher.connections == 1
    publisher.stop(STOP_S)
    outbox.close()


def test_will_is_published_when_connection_is_given_up(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start_publisher: StartPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the will, `online` would remain until another connection is made."""
    monkeypatch.setattr("edge.mqtt.send_window.ACK_TIMEOUT_S", 0.5)
    relay = Relay(mosquitto.broker, drops_type=0x40)
    publisher = start_publisher(relay.broker)
    subscriber.wait_for_status("online")
    relay.close_on(b"MQTT", times=1000)
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("status")) == 2, "the will")
    assert subscriber.bodies("status") == ["online", "offline"]
    relay.close()


def test_will_is_published_after_internal_error(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    start_publisher: StartPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = start_publisher(mosquitto.broker)
    subscriber.wait_for_status("online")

    def fail(*_: object) -> None:
        raise OSError("an error of our own")

    monkeypatch.setattr("edge.mqtt.outbox_sender.OutboxSender.send_waiting", fail)
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("status")) > 1, "the will")
    assert subscriber.bodies("status")[1] == "offline"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.parametrize("silent", [True, False])
def test_failed_attempts_leave_no_open_files(
    start_publisher: StartPublisher, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """The server accepts connections and is silent or closes them; the garbage collector is off."""
    monkeypatch.setattr("edge.mqtt.connector.CONNECT_TIMEOUT_S", 0.02 if silent else 10.0)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.001)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.001)
    gc.collect()
    gc.disable()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE_S)
            publisher = start_publisher(Broker("127.0.0.1", listener.getsockname()[1]))
            counts = []
            for _ in range(30):
                taken, _ = listener.accept()
                while silent and taken.recv(4096):
                    pass  # until the publisher closes the connection
                taken.close()
                counts.append(descriptors())
            publisher.stop(0.0)
    finally:
        gc.enable()
    assert max(counts) - min(counts) <= 8  # two attempts may be open at the same time


def test_status_is_retained_and_events_are_not(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    publisher = start_publisher(mosquitto.broker)
    publisher.retain("state", {"no_mask": False}, qos=1)
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    late = Subscriber(mosquitto.broker)
    late.wait_for(
        lambda: bool(late.bodies("state") and late.bodies("status")), "the retained messages"
    )
    assert late.bodies("status") == ["online"]
    assert late.bodies("events") == []
    publisher.stop(STOP_S)
    late.wait_for_status("offline")
    late.close()


def test_events_before_the_connection_are_replayed(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    outbox.put({"n": 0})
    publisher = start_publisher(mosquitto.broker)
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the old event")
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the new event")
    assert [e["replayed"] for e in subscriber.bodies("events")] == [True, False]


@pytest.mark.slow
def test_late_broker_receives_all_events(
    tmp_path: Path,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Mosquitto(tmp_path)
    publisher = start_publisher(server.broker)
    for n in range(5):
        outbox.put({"n": n})
        publisher.wake()
    wait_until(lambda: publisher.failure is not None, "a failed attempt")
    server.start()
    wait_until(lambda: outbox.depth() == 0, "delivered")
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "no broker at" in warnings[0].getMessage()
    publisher.stop(STOP_S)
    server.stop()


@pytest.mark.slow
def test_restarted_broker_receives_events_and_state(
    mosquitto: Mosquitto, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    publisher = start_publisher(mosquitto.broker)
    publisher.retain("state", {"no_mask": True}, qos=1)
    wait_until(lambda: publisher.connected, "connected")
    mosquitto.stop()
    wait_until(lambda: not publisher.connected, "the loss is noticed")
    seqs = [outbox.put({"n": n}) for n in range(30)]
    mosquitto.start()
    listener = Subscriber(mosquitto.broker)
    wait_until(lambda: outbox.depth() == 0, "delivered")
    publisher.stop(STOP_S)
    listener.wait_for(lambda: "offline" in listener.bodies("status"), "offline")
    assert listener.bodies("state")[-1] == {"no_mask": True}
    assert publisher.acknowledged == len(seqs)
    listener.close()


@pytest.mark.slow
def test_unacknowledged_events_are_resent_in_order(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    relay = Relay(mosquitto.broker)
    publisher = start_publisher(relay.broker)
    subscriber.wait_for_status("online")
    # Wait until `online` is acknowledged as well, because it also counts as a packet in flight.
    outbox.put({"n": -1})
    publisher.wake()
    wait_until(lambda: publisher.acknowledged == 1, "acknowledgements")
    relay.drop_answers()
    seqs = []
    for n in range(30):  # more events than may be in flight
        seqs.append(outbox.put({"n": n}))
        publisher.wake()
    subscriber.wait_for(
        lambda: len(subscriber.bodies("events")) == 1 + MAX_IN_FLIGHT, "a full window"
    )
    assert publisher.acknowledged == 1
    assert outbox.depth() == 30
    relay.cut_connections()
    wait_until(lambda: outbox.depth() == 0, "delivery")
    # The broker may acknowledge an event before the subscriber receives it.
    subscriber.wait_for(
        lambda: len(subscriber.bodies("events")) >= 1 + MAX_IN_FLIGHT + 30,
        "the remaining events",
    )
    received = [(e["seq"], e["replayed"]) for e in subscriber.bodies("events")[1:]]
    assert received == [(s, False) for s in seqs[:MAX_IN_FLIGHT]] + [(s, True) for s in seqs]
    publisher.stop(STOP_S)
    relay.close()


def test_last_state_before_stop_is_published(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher
) -> None:
    publisher = start_publisher(mosquitto.broker)
    wait_until(lambda: publisher.connected, "connected")
    for people in range(50):
        publisher.retain("state", {"people": people}, qos=1)
    publisher.stop(STOP_S)
    subscriber.wait_for(lambda: "offline" in subscriber.bodies("status"), "offline")
    assert subscriber.bodies("state")[-1] == {"people": 49}


def test_event_forbidden_by_broker_is_kept(
    tmp_path: Path, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    acl = "topic write maskpatrol/door1/status\ntopic read maskpatrol/#\n"
    server = Mosquitto(tmp_path, acl=acl).start()
    outbox.put({"n": 0})
    publisher = start_publisher(server.broker)
    wait_until(lambda: "does not accept events" in str(publisher.failure), "the refusal")
    publisher.stop(STOP_S)
    assert publisher.connections <= 2  # the first attempt and an attempt at the stop
    late = Subscriber(server.broker)
    late.wait_for(lambda: late.bodies("status") == ["offline"], "the retained offline")
    late.close()
    assert outbox.depth() == 1
    assert publisher.acknowledged == 0
    server.stop()


@pytest.mark.slow
def test_delivers_to_broker_configured_for_3_1_1(
    outbox: Outbox, start_publisher: StartPublisher
) -> None:
    with EmbeddedBroker(free_port()) as server:
        listener = Subscriber(Broker(server.host, server.port))
        outbox.put({"n": 0})
        publisher = start_publisher(Broker(server.host, server.port, version="3.1.1"))
        listener.wait_for(lambda: len(listener.bodies("events")) == 1, "the event")
        publisher.stop(STOP_S)
        listener.wait_for(lambda: len(listener.bodies("status")) == 2, "offline")
        assert listener.bodies("status") == ["online", "offline"]
        listener.close()


@pytest.mark.slow
def test_two_devices_with_one_name_are_reported(
    mosquitto: Mosquitto,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = start_publisher(mosquitto.broker), start_publisher(mosquitto.broker)

    def warnings() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]

    wait_until(
        lambda: any("client identifier, 'mask-patrol-door1'" in text for text in warnings()),
        "the warning",
    )
    assert sum("lost" in text for text in warnings()) <= 2
    assert first.connections + second.connections <= 8


def test_stop_does_not_wait_for_silent_server(
    outbox: Outbox, start_publisher: StartPublisher
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outbox.put({"n": 0})
        publisher = start_publisher(Broker("127.0.0.1", silent.getsockname()[1]))
        silent.accept()
        publisher.stop(0.2)
        assert not publisher._thread.is_alive()
    assert outbox.depth() == 1


def test_will_is_published_when_connection_is_cut(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher
) -> None:
    relay = Relay(mosquitto.broker)
    start_publisher(relay.broker)
    subscriber.wait_for_status("online")
    relay.cut_connections()  # without a DISCONNECT, as after a power cut
    subscriber.wait_for(lambda: len(subscriber.bodies("status")) > 1, "the will")
    assert subscriber.bodies("status")[1] == "offline"
    relay.close()


@pytest.mark.slow
def test_events_are_kept_when_password_is_refused(
    tmp_path: Path, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    server = Mosquitto(tmp_path, password="right").start()
    outbox.put({"n": 0})
    publisher = start_publisher(Broker("127.0.0.1", server.port, "door", "wrong"))
    wait_until(lambda: publisher.failure is not None, "the refusal")
    assert isinstance(publisher.failure, LoginRefusedError)
    assert "refuses user 'door'" in str(publisher.failure)
    assert "wrong" not in str(publisher.failure)
    assert outbox.depth() == 1
    publisher.stop(0.0)
    again = start_publisher(Broker("127.0.0.1", server.port, "door", "right"))
    wait_until(lambda: outbox.depth() == 0, "delivery with the right password")
    again.stop(STOP_S)
    server.stop()


def test_stop_without_broker_keeps_events(outbox: Outbox, start_publisher: StartPublisher) -> None:
    publisher = start_publisher(Broker("127.0.0.1", free_port()))
    outbox.put({"n": 0})
    publisher.stop(0.3)
    assert not publisher._thread.is_alive()
    assert outbox.depth() == 1


def test_unknown_host_name_is_reported(outbox: Outbox, start_publisher: StartPublisher) -> None:
    publisher = start_publisher(Broker("no-such-host.invalid", 1883))
    wait_until(lambda: publisher.failure is not None, "the failure")
    assert "cannot be resolved" in str(publisher.failure)


@pytest.mark.slow
def test_broker_that_closes_mqtt_5_gets_3_1_1(
    mosquitto: Mosquitto, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    """The relay in front of mosquitto acts as an old broker: it closes MQTT 5 connections."""
    relay = Relay(mosquitto.broker, closes_on=b"\x00\x04MQTT\x05")
    outbox.put({"n": 0})
    publisher = start_publisher(relay.broker)
    wait_until(lambda: outbox.depth() == 0, "delivery")
    assert publisher.version == "3.1.1"
    publisher.stop(STOP_S)
    relay.close()


@pytest.mark.slow
def test_hanging_broker_keeps_mqtt_5(
    mosquitto: Mosquitto, start_publisher: StartPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that accepted MQTT 5 before does not answer for MAX_UNANSWERED attempts."""
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.1)
    relay = Relay(mosquitto.broker)
    publisher = start_publisher(relay.broker)
    wait_until(lambda: publisher.version == "5", "connected")
    relay.close_on(b"MQTT", times=MAX_UNANSWERED)
    relay.cut_connections()
    wait_until(lambda: publisher.version is None, "the loss")
    wait_until(lambda: publisher.connections == 2, "connected again")
    assert publisher.version == "5"
    relay.close()


def test_one_closed_connection_keeps_mqtt_5(
    tmp_path: Path, outbox: Outbox, start_publisher: StartPublisher
) -> None:
    """In 3.1.1 the broker would acknowledge the forbidden event and discard it."""
    server = Mosquitto(tmp_path, acl="topic write maskpatrol/door1/status\n").start()
    relay = Relay(server.broker, closes_on=b"MQTT", times=1)
    outbox.put({"n": 0})
    publisher = start_publisher(relay.broker)
    wait_until(lambda: "does not accept events" in str(publisher.failure), "the refusal")
    publisher.stop(0.0)
    assert outbox.depth() == 1
    relay.close()
    server.stop()


# `Publisher.alive`


def test_hanging_worker_is_not_alive(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox
) -> None:
    hanging, go_on = threading.Event(), threading.Event()

    def hang() -> dict[str, Any]:
        hanging.set()
        go_on.wait(PATIENCE_S)
        return {}

    clock = RunningClock()
    topics = Topics("maskpatrol", "door1")
    publisher = Publisher(mosquitto.broker, topics, outbox, clock=clock, verbs={"hang": hang})
    assert publisher.alive()  # alive, as no worker has to run before the start
    publisher.start()
    subscriber.wait_for_status("online")
    subscriber.client.publish("maskpatrol/door1/cmd/hang", "", qos=1)
    assert hanging.wait(PATIENCE_S)
    assert publisher.alive()
    clock.advance(HANG_TIMEOUT_S)
    assert not publisher.alive()
    go_on.set()
    wait_until(publisher.alive, "the worker continues")
    publisher.stop(1.0)


@pytest.mark.slow
def test_idle_worker_is_alive_with_and_without_broker(
    mosquitto: Mosquitto, start_publisher: StartPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_WAIT_S < HANG_TIMEOUT_S / 2
    monkeypatch.setattr("edge.mqtt.worker_queue.MAX_WAIT_S", 0.02)
    for broker in (mosquitto.broker, Broker("127.0.0.1", free_port())):
        clock = RunningClock()
        publisher = start_publisher(broker, clock=clock)
        wait_until(lambda p=publisher: p.connected or p.failure, "a connection or failure")  # type: ignore[misc]
        clock.advance(HANG_TIMEOUT_S)
        wait_until(publisher.alive, "another take")
        publisher.stop(0.5)
        assert publisher.alive()  # after the stop no worker is expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_dead_worker_is_not_alive(
    mosquitto: Mosquitto, start_publisher: StartPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr("edge.mqtt.outbox_sender.OutboxSender.send_waiting", die)
    publisher = start_publisher(mosquitto.broker)
    wait_until(lambda: not publisher.alive(), "the end of the worker")
    assert not publisher._thread.is_alive()
