from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.config import MqttSettings
from edge.connection import Broker, LoginRefusedError
from edge.errors import UserError
from edge.mqtt import Publisher
from edge.outbox import Outbox
from edge.payloads import Topics
from tests.brokers import Mosquitto, Subscriber, free_port, wait_until

STOP_S = 5.0
Start = Callable[[Broker], Publisher]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", 10_000)
    yield box
    box.close()


@pytest.fixture
def start(outbox: Outbox) -> Iterator[Start]:
    started: list[Publisher] = []

    def begin(broker: Broker) -> Publisher:
        publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
        publisher.start()
        started.append(publisher)
        return publisher

    yield begin
    for publisher in started:
        publisher.stop(0.0)


def test_events_arrive_in_order_and_leave_the_outbox(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    for n in range(100):
        outbox.put({"n": n})
        publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 100, "100 events")
    assert [(e["n"], e["seq"]) for e in subscriber.bodies("events")] == [
        (n, n + 1) for n in range(100)
    ]
    wait_until(lambda: outbox.depth() == 0, "acknowledged")
    assert publisher.acknowledged == 100


def test_events_are_not_retained_and_presence_is(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    publisher.retain("state", {"no_mask": False}, qos=1)
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    late = Subscriber(mosquitto.broker)
    late.wait_for(lambda: bool(late.bodies("state") and late.bodies("status")), "retained")
    assert late.bodies("status") == ["online"]
    assert late.bodies("events") == []
    publisher.stop(STOP_S)
    late.wait_for(lambda: late.bodies("status")[-1] == "offline", "offline on a clean stop")
    late.close()


def test_what_happened_before_the_connection_is_replayed(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    outbox.put({"n": 0})
    publisher = start(mosquitto.broker)
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the old one")
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the new one")
    assert [e["replayed"] for e in subscriber.bodies("events")] == [True, False]


def test_a_broker_that_comes_late_gets_everything(
    tmp_path: Path, outbox: Outbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = Mosquitto(tmp_path)
    publisher = start(server.broker)
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


def test_a_restarted_broker_misses_nothing_and_is_told_all_again(
    mosquitto: Mosquitto, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    publisher.retain("state", {"no_mask": True}, qos=1)
    wait_until(lambda: publisher.connected, "connected")
    mosquitto.stop()
    wait_until(lambda: not publisher.connected, "loss noticed")
    seqs = [outbox.put({"n": n}) for n in range(30)]
    mosquitto.start()
    listener = Subscriber(mosquitto.broker)
    wait_until(lambda: outbox.depth() == 0, "delivered")
    publisher.stop(STOP_S)
    listener.wait_for(lambda: "offline" in listener.bodies("status"), "the farewell")
    assert listener.bodies("state")[-1] == {"no_mask": True}
    assert publisher.acknowledged == len(seqs)
    listener.close()


def test_the_will_says_offline_when_the_process_dies(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")
    assert publisher._client is not None
    publisher._client.socket().close()  # as a pulled plug: no DISCONNECT is sent
    subscriber.wait_for(lambda: "offline" in subscriber.bodies("status"), "the will")


def test_a_refused_password_is_said_and_kept(tmp_path: Path, outbox: Outbox, start: Start) -> None:
    server = Mosquitto(tmp_path, password="right").start()
    outbox.put({"n": 0})
    publisher = start(Broker("127.0.0.1", server.port, "door", "wrong"))
    wait_until(lambda: publisher.failure is not None, "the refusal")
    assert isinstance(publisher.failure, LoginRefusedError)
    assert "refuses user 'door'" in str(publisher.failure)
    assert "wrong" not in str(publisher.failure)
    assert outbox.depth() == 1
    publisher.stop(0.0)
    again = start(Broker("127.0.0.1", server.port, "door", "right"))
    wait_until(lambda: outbox.depth() == 0, "delivered with the right one")
    again.stop(STOP_S)
    server.stop()


def test_stop_without_a_broker_ends_at_once_and_keeps_the_events(
    outbox: Outbox, start: Start
) -> None:
    publisher = start(Broker("127.0.0.1", free_port()))
    outbox.put({"n": 0})
    publisher.stop(0.3)
    assert not publisher._thread.is_alive()
    assert outbox.depth() == 1


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    settings = MqttSettings(host="h", username="u", password_file=str(tmp_path / "secret"))
    assert Broker.from_settings(settings).password == "hush"
    with pytest.raises(UserError, match=r"mqtt\.password_file"):
        Broker.from_settings(MqttSettings(host="h", password_file=str(tmp_path / "none")))


def test_a_name_that_is_not_known_is_said(outbox: Outbox, start: Start) -> None:
    publisher = start(Broker("no-such-host.invalid", 1883))
    wait_until(lambda: publisher.failure is not None, "the failure")
    assert "not known" in str(publisher.failure)
