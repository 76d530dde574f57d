"""Whether the worker that delivers gets on, as the watchdog may ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.broker import Broker
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import HANG_TIMEOUT_S, Publisher
from edge.mqtt.worker_queue import MAX_WAIT_S, WorkerQueue
from edge.outbox.outbox import Outbox
from tests.support.brokers import PATIENCE_S, Mosquitto, Subscriber, free_port, wait_until


class Clock:
    """The true one, and so much further as a test says."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", 10)
    yield box
    box.close()


def publisher_of(outbox: Outbox, broker: Broker, clock: Clock, **more: Any) -> Publisher:
    return Publisher(broker, Topics("maskpatrol", "door1"), outbox, clock=clock, **more)


def test_a_worker_that_hangs_is_not_alive_until_it_goes_on(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox
) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang() -> dict[str, Any]:
        hangs.set()
        go_on.wait(PATIENCE_S)
        return {}

    clock = Clock()
    publisher = publisher_of(outbox, mosquitto.broker, clock, verbs={"hang": hang})
    assert publisher.alive()  # nothing is missed before the start
    publisher.start()
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")
    subscriber.client.publish("maskpatrol/door1/cmd/hang", "", qos=1)
    assert hangs.wait(PATIENCE_S)
    assert publisher.alive()
    clock.ahead_s += HANG_TIMEOUT_S
    assert not publisher.alive()
    go_on.set()
    wait_until(publisher.alive, "goes on")
    publisher.stop(1.0)


def test_a_worker_that_has_nothing_to_do_or_no_broker_is_alive(
    mosquitto: Mosquitto, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_WAIT_S < HANG_TIMEOUT_S / 2
    monkeypatch.setattr("edge.mqtt.worker_queue.MAX_WAIT_S", 0.02)
    for broker in (mosquitto.broker, Broker("127.0.0.1", free_port())):
        clock = Clock()
        publisher = publisher_of(outbox, broker, clock)
        publisher.start()
        wait_until(lambda p=publisher: p.connected or p.failure, "under way")  # type: ignore[misc]
        clock.ahead_s += HANG_TIMEOUT_S
        wait_until(publisher.alive, "it came by again")
        publisher.stop(0.5)
        assert publisher.alive()  # it has ended as it was asked to


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_has_died_is_not_alive(
    mosquitto: Mosquitto, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr("edge.mqtt.outbox_sender.OutboxSender.send_waiting", die)
    publisher = publisher_of(outbox, mosquitto.broker, Clock())
    publisher.start()
    wait_until(lambda: not publisher.alive(), "its death is seen")


def test_the_inbox_comes_by_however_long_it_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.mqtt.worker_queue.MAX_WAIT_S", 0.01)
    inbox = WorkerQueue()
    assert inbox.take(float("inf")) is None
    assert inbox.since_last_take_s() < PATIENCE_S
