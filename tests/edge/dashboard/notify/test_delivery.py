from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.notify.channel import Channel, SendResult
from edge.dashboard.notify.delivery import MAX_THREADS, Delivery
from edge.dashboard.notify.message_text import Message
from edge.dashboard.notify.notification_queue import NotificationQueue, Target
from edge.dashboard.notify.reason_collector import CollectedRule, ReasonCollector
from tests.support.clock import RunningClock
from tests.support.waiting import wait_until


class Receiver:
    """A receiver that takes a message, fails, or does not answer until it is released."""

    def __init__(self, error: str = "", is_gone: bool = False, hangs: bool = False) -> None:
        self.error, self.is_gone = error, is_gone
        self.titles: list[str] = []
        self.attempts = 0
        self.released = threading.Event()
        if not hangs:
            self.released.set()

    def send(self, message: Message) -> SendResult:
        self.attempts += 1
        self.released.wait()
        if not self.error:
            self.titles.append(message.title)
        return SendResult(self.error, self.is_gone)


class Receivers:
    """One receiver for each rule."""

    def __init__(self, **found: Any) -> None:
        self._found = found
        self.removed: list[Target] = []

    def targets(self, rule: str) -> Sequence[str]:
        return ["1"]

    def channels(self) -> Mapping[Target, Channel]:
        return {(rule, "1"): receiver for rule, receiver in self._found.items()}

    def remove(self, target: Target, error: str) -> None:
        self.removed.append(target)


@contextmanager
def delivering(
    engine: sa.Engine, receivers: Receivers, ticks: Callable[[], float] = time.monotonic
) -> Iterator[Delivery]:
    rules = [CollectedRule(rule) for rule, _ in receivers.channels()]
    delivery = Delivery(NotificationQueue(engine), ReasonCollector(engine), rules, receivers, ticks)
    thread = threading.Thread(target=delivery.run)
    thread.start()
    yield delivery
    delivery.stop()
    thread.join()


def test_receiver_that_fails_or_hangs_holds_up_no_other(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    ticks = RunningClock()
    hanging = {f"hangs-{number}": Receiver(hangs=True) for number in range(MAX_THREADS // 2)}
    broken, good = Receiver("refused"), Receiver()
    receivers = Receivers(broken=broken, good=good, **hanging)
    with delivering(engine, receivers, ticks) as delivery:
        for rule, _ in receivers.channels():
            add([1, 2], rule=rule)
        delivery.wake()
        wait_until(lambda: len(good.titles) == 2 and broken.attempts > 0, "the good receiver")
        assert {receiver.attempts for receiver in hanging.values()} <= {0, 1}
        # The failing one is tried again after a pause, and delivers when it has recovered.
        broken.error = ""
        ticks.advance(5.0)
        delivery.wake(ends_pauses=True)
        wait_until(lambda: len(broken.titles) == 2, "the retry")
        ticks.advance(31.0)
        slow = "the receiver has not completed its answer for"
        wait_until(lambda: any(row.error.startswith(slow) for row in rows()), "the delay")
        for receiver in hanging.values():
            receiver.released.set()
        wait_until(lambda: {row.state for row in rows()} == {"sent"}, "all notifications")
        assert delivery.wait_until_idle(10.0)
    assert {row.error for row in rows()} == {""}
    assert all(receiver.attempts == 2 for receiver in hanging.values())


def test_receiver_that_is_gone_is_removed(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    receivers = Receivers(gone=Receiver("it has ended", is_gone=True))
    with delivering(engine, receivers):
        add([1], rule="gone")
        wait_until(lambda: receivers.removed == [("gone", "1")], "the removal")
        wait_until(lambda: [row.state for row in rows()] == ["failed"], "the failure")


def test_error_of_a_library_shows_no_secret(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    class Mistaken(Receiver):
        def send(self, message: Message) -> SendResult:
            raise RuntimeError("https://secret")

    with delivering(engine, Receivers(guard=Mistaken())):
        add([1])
        wait_until(lambda: bool(rows()) and rows()[0].error != "", "the error")
    assert rows()[0].error.startswith("an internal error: RuntimeError in send, line ")


@pytest.mark.parametrize("fails_for", [1, 3])
def test_outcome_is_recorded_when_the_database_works_again(
    engine: sa.Engine,
    add: Callable[..., None],
    rows: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    fails_for: int,
) -> None:
    """Otherwise the message would be sent once more."""
    monkeypatch.setattr("edge.dashboard.notify.delivery.RECORD_RETRY_S", 0.01)
    record, failures = NotificationQueue._record, [0]

    def unreliable(self: NotificationQueue, db: sa.Connection, outcome: Any) -> None:
        failures[0] += 1
        if failures[0] <= fails_for:
            raise sa.exc.OperationalError("", {}, Exception("no connection"))
        record(self, db, outcome)

    monkeypatch.setattr(NotificationQueue, "_record", unreliable)
    receiver = Receiver()
    with delivering(engine, Receivers(guard=receiver)):
        add([1])
        wait_until(lambda: [row.state for row in rows()] == ["sent"], "the record")
    assert receiver.attempts == 1
