from __future__ import annotations

import math

import pytest

from edge.mqtt.connection import Message
from edge.mqtt.worker_queue import PublishRetained, Stop, Wake, WorkerQueue
from tests.support.clock import Clock


def state(body: str) -> Message:
    return Message("maskpatrol/door1/state", body, qos=1, retain=True)


def test_items_are_taken_in_order() -> None:
    queue = WorkerQueue()
    queue.wake()
    queue.retain(state("1"))
    queue.stop(5.0)
    assert [queue.take(0.0) for _ in range(4)] == [
        Wake(), PublishRetained(state("1")), Stop(), None,
    ]  # fmt: skip


def test_newest_retained_message_of_a_topic_is_stored() -> None:
    queue = WorkerQueue()
    for body in ("1", "2", "3"):
        queue.retain(state(body))
    queue.take(0.0)
    queue.take(0.0)
    assert queue.retained == {state("").topic: state("2")}


def test_stop_is_requested_before_it_is_taken() -> None:
    queue = WorkerQueue()
    assert not queue.stop_requested
    queue.stop(5.0)
    assert queue.stop_requested
    assert not queue.stopping
    queue.take(0.0)
    assert queue.stopping


def test_earliest_stop_deadline_applies() -> None:
    clock = Clock()
    queue = WorkerQueue(clock)
    assert queue.time_left_s() == math.inf
    queue.stop(5.0)
    queue.stop(9.0)
    assert queue.time_left_s() == 5.0
    clock.advance(6.0)
    assert queue.time_left_s() == -1.0


def test_time_since_last_take_is_measured() -> None:
    clock = Clock()
    queue = WorkerQueue(clock)
    clock.advance(40.0)
    assert queue.since_last_take_s() == 40.0
    queue.take(0.0)
    assert queue.since_last_take_s() == 0.0


def test_take_returns_after_the_longest_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.mqtt.worker_queue.MAX_WAIT_S", 0.01)
    assert WorkerQueue().take(math.inf) is None
