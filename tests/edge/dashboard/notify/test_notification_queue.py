from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import notifications
from edge.dashboard.notify import notification_queue
from edge.dashboard.notify.notification_queue import LEASE_S, NotificationQueue, Outcome
from edge.dashboard.notify.reason_collector import CollectedRule, ReasonCollector

TARGET = ("guard", "1")


def collect(engine: sa.Engine, *targets: str) -> None:
    ReasonCollector(engine).collect(CollectedRule("guard"), targets or ("1",))


def test_notification_is_delivered_once(
    engine: sa.Engine, queue: NotificationQueue, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    add([1, 2])
    add([1])  # a reason that is known changes nothing
    assert queue.due_targets() == set()
    collect(engine)
    assert queue.due_targets() == {TARGET}
    first = queue.exchange(None, TARGET)
    second = queue.exchange(Outcome(first.number), TARGET)
    assert (first.key, second.key) == ("alert:1", "alert:2")
    assert queue.exchange(None, TARGET) is None  # it is leased
    assert queue.due_targets() == set()
    assert queue.exchange(Outcome(second.number), TARGET) is None
    assert [(row.state, row.attempts, row.error) for row in rows()] == [("sent", 1, "")] * 2


def test_failed_notification_waits_behind_others(
    engine: sa.Engine,
    queue: NotificationQueue,
    add: Callable[..., None],
    pass_time: Callable[[float], None],
) -> None:
    add([1, 2])
    collect(engine)
    first = queue.exchange(None, TARGET)
    second = queue.exchange(Outcome(first.number, "refused", 5.0), TARGET)
    assert queue.exchange(Outcome(second.number), TARGET) is None
    pass_time(5.1)
    again = queue.exchange(None, TARGET)
    assert (again.number, again.attempts, again.error) == (first.number, 2, "refused")


def test_lease_of_a_killed_dashboard_expires(
    engine: sa.Engine,
    queue: NotificationQueue,
    add: Callable[..., None],
    pass_time: Callable[[float], None],
) -> None:
    add([1])
    collect(engine)
    taken = queue.exchange(None, TARGET)
    pass_time(LEASE_S - 5.0)
    queue.renew({taken.number: "it takes long"})
    pass_time(LEASE_S - 5.0)
    assert queue.exchange(None, TARGET) is None
    pass_time(5.1)
    assert queue.exchange(None, TARGET).error == "it takes long"


def test_clock_that_is_set_back_does_not_delay_notifications(
    engine: sa.Engine,
    queue: NotificationQueue,
    add: Callable[..., None],
    pass_time: Callable[[float], None],
) -> None:
    add([1, 2])
    collect(engine)
    first = queue.exchange(None, TARGET)
    queue.exchange(Outcome(first.number, "refused", 60.0), TARGET)
    pass_time(-100_000.0)
    assert {queue.exchange(None, TARGET).key for _ in range(2)} == {"alert:1", "alert:2"}


def test_old_notification_is_given_up(
    engine: sa.Engine,
    queue: NotificationQueue,
    add: Callable[..., None],
    rows: Callable[[], Any],
    pass_time: Callable[[float], None],
) -> None:
    add([1, 2])
    collect(engine)
    first = queue.exchange(None, TARGET)
    assert queue.give_up_expired() == 0
    pass_time(601.0 - LEASE_S)
    queue.renew({first.number: ""})
    pass_time(LEASE_S - 0.5)
    assert queue.give_up_expired() == 1  # the other one is being delivered
    assert queue.exchange(Outcome(first.number), TARGET) is None
    assert [(row.state, row.error) for row in rows()] == [("sent", ""), ("failed", "")]


def test_final_failure_and_gone_target(
    engine: sa.Engine, queue: NotificationQueue, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    add([1, 2])
    collect(engine, "push-1", "push-2")
    taken = queue.exchange(None, ("guard", "push-1"))
    queue.fail_target("push-1", "gone")
    queue.exchange(Outcome(taken.number, "gone"), None)
    states = {(row.target, row.key): (row.state, row.error) for row in rows()}
    assert states == {
        ("push-1", "alert:1"): ("failed", "gone"), ("push-1", "alert:2"): ("failed", "gone"),
        ("push-2", "alert:1"): ("queued", ""), ("push-2", "alert:2"): ("queued", ""),
    }  # fmt: skip


def test_reason_is_withdrawn_until_it_is_due(
    engine: sa.Engine, queue: NotificationQueue, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    add([1], delay_s=5.0)
    add([2])
    collect(engine)
    with engine.begin() as db:
        queue.withdraw(db, ["guard"], ["alert:1", "alert:2"])
    assert [(row.key, row.state) for row in rows()] == [("alert:2", "queued")]


def test_old_rows_are_deleted(
    engine: sa.Engine,
    queue: NotificationQueue,
    add: Callable[..., None],
    rows: Callable[[], Any],
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(notification_queue, "MAX_FINISHED", 3)
    add(range(8))
    collect(engine)
    outcome = None
    for _ in range(6):
        outcome = Outcome(queue.exchange(outcome, TARGET).number)
    queue.exchange(outcome, None)
    queue.delete_old()
    assert [(row.key, row.state) for row in rows()] == [
        *((f"alert:{number}", "sent") for number in (3, 4, 5)),
        *((f"alert:{number}", "queued") for number in (6, 7)),
    ]


def test_dashboards_that_share_a_queue_deliver_each_once(
    address: str, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    """Several processes collect and lease at the same time."""
    add(range(60))

    def deliver(_: int) -> list[str]:
        own = open_database(address)
        queue, collector = NotificationQueue(own), ReasonCollector(own)
        found, outcome = [], None
        while True:
            collector.collect(CollectedRule("guard"), ["1"])
            row = queue.exchange(outcome, TARGET)
            if row is None:
                own.dispose()
                return found
            found.append(row.key)
            outcome = Outcome(row.number)

    with ThreadPoolExecutor(4) as pool:
        delivered = [key for keys in pool.map(deliver, range(4)) for key in keys]
    assert sorted(delivered) == sorted(f"alert:{number}" for number in range(60))
    assert {row.state for row in rows()} == {"sent"}


def test_test_message_is_queued_for_each_target(
    queue: NotificationQueue, rows: Callable[[], Any], engine: sa.Engine
) -> None:
    key = queue.add_test("guard", ["1", "2"], 1000.0, 60.0)
    assert [(row.target, row.key, row.state) for row in rows()] == [
        ("1", key, "queued"), ("2", key, "queued"),
    ]  # fmt: skip
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(notifications)) == 2


def test_test_message_comes_before_others(
    engine: sa.Engine, queue: NotificationQueue, add: Callable[..., None]
) -> None:
    add([1])
    collect(engine)
    key = queue.add_test("guard", ["1"], 1000.0, 60.0)
    assert queue.exchange(None, TARGET).key == key
