from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from edge.config.hours import Hours
from edge.dashboard.notify.message_text import render
from edge.dashboard.notify.notification_queue import NotificationQueue
from edge.dashboard.notify.reason_collector import HOLD_FAULTS_S, CollectedRule, ReasonCollector
from tests.support.clock import Clock


@pytest.fixture
def collect(engine: sa.Engine, rows: Callable[[], Any]) -> Callable[..., list[Any]]:
    """Collect once; return the rows that were queued by this, with their columns."""

    def run(*targets: str, **settings: float) -> list[Any]:
        before = {row.number for row in rows()}
        ReasonCollector(engine).collect(CollectedRule("guard", **settings), targets or ("1",))
        return [row for row in rows() if row.number not in before]

    return run


def test_reason_becomes_one_notification_for_each_target(
    add: Callable[..., None], collect: Callable[..., list[Any]], rows: Callable[[], Any]
) -> None:
    add([1])
    assert [(row.target, row.state, row.key) for row in collect("1", "2")] == [
        ("1", "queued", "alert:1"), ("2", "queued", "alert:1"),
    ]  # fmt: skip
    assert len(rows()) == 2
    assert collect("1", "2") == []


def test_reason_waits_until_it_is_due(
    add: Callable[..., None],
    collect: Callable[..., list[Any]],
    pass_time: Callable[[float], None],
) -> None:
    add([1], delay_s=10.0)
    assert collect() == []
    pass_time(10.1)
    assert len(collect()) == 1


def test_cooldown_is_counted_for_each_door_and_topic(
    add: Callable[..., None],
    collect: Callable[..., list[Any]],
    pass_time: Callable[[float], None],
) -> None:
    add([1, 2])
    add([3], "door2")
    add([4], topic="device_offline")
    assert [row.key for row in collect(cooldown_s=60.0)] == [
        "alert:1", "alert:3", "device_offline:4",
    ]  # fmt: skip
    pass_time(59.0)
    add([5])
    assert collect(cooldown_s=60.0) == []
    pass_time(1.1)
    add([6])
    assert [row.key for row in collect(cooldown_s=60.0)] == ["alert:6"]
    pass_time(-100_000.0)  # the clock is set back
    add([7])
    assert [row.key for row in collect(cooldown_s=60.0)] == ["alert:7"]


def test_digest_reports_the_alerts_of_a_door_together(
    add: Callable[..., None],
    collect: Callable[..., list[Any]],
    pass_time: Callable[[float], None],
) -> None:
    add(range(4))
    add([4], label="incorrect_mask")
    pass_time(300.0)
    add([5], "door2")
    add([6], topic="camera_stalled", detail="camera: stalled")
    assert [row.topic for row in collect(digest_s=600.0)] == ["camera_stalled"]  # at once
    pass_time(300.1)
    (row,) = collect(digest_s=600.0)
    assert (row.device, row.total, row.first_s, row.last_s) == ("door1", 5, 1000.0, 1004.0)
    message = render(row)
    assert message.title == "5 alerts at door1 in a minute"
    assert "1x mask worn incorrectly, 4x no mask" in message.body
    pass_time(300.0)
    (row,) = collect(digest_s=600.0)
    assert (row.device, row.total) == ("door2", 1)
    assert render(row).title == "No mask at door2"
    assert collect(digest_s=600.0) == []


def test_events_do_not_wait_for_an_incomplete_digest(
    engine: sa.Engine, add: Callable[..., None], collect: Callable[..., list[Any]]
) -> None:
    """The queue is looked at twice a second: that must only read."""
    add([1])
    statements: list[str] = []
    sa.event.listen(
        engine, "before_cursor_execute", lambda _db, _cursor, text, *_: statements.append(text)
    )
    assert collect(digest_s=600.0) == []
    assert statements
    assert all(text.startswith("SELECT") and "advisory" not in text for text in statements)


def test_fault_waits_for_the_hours_of_its_rule(
    engine: sa.Engine,
    add: Callable[..., None],
    rows: Callable[[], Any],
    pass_time: Callable[[float], None],
) -> None:
    hour = 3
    collector = ReasonCollector(engine, lambda: datetime(2026, 7, 1, hour).timestamp())
    rule = CollectedRule("guard", lasts_s=600.0, hours=Hours(start="08:00", end="18:00"))
    add([1, 2], topic="device_offline", lasts_s=8 * 86_400.0)
    add([3])  # an alert from within the hours, which was delayed
    collector.collect(rule, ["1"])
    assert [row.key for row in rows() if row.state == "queued"] == ["alert:3"]
    with engine.begin() as db:  # one device is back before the hours begin
        NotificationQueue(engine).withdraw(db, ["guard"], ["device_offline:2"])
    hour = 8
    pass_time(5 * 3600.0)
    collector.collect(rule, ["1"])
    (row,) = (row for row in rows() if row.topic == "device_offline")
    assert (row.key, row.state) == ("device_offline:1", "queued")
    # The age limit begins only now: the message is not given up because of the night.
    assert row.expires_s - time.time() == pytest.approx(600.0, abs=60.0)


def test_fault_of_before_the_start_is_held_until_it_is_known_to_last(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    add([1, 2], topic="device_offline")
    add([3])
    ticks = Clock(50.0)
    collector = ReasonCollector(engine, ticks=ticks, hold_faults_s=HOLD_FAULTS_S)
    rule = CollectedRule("guard")

    def queued() -> list[str]:
        collector.collect(rule, ["1"])
        return [row.key for row in rows() if row.state == "queued"]

    assert queued() == ["alert:3"]
    add([4], topic="device_offline")  # begins now
    assert queued() == ["alert:3", "device_offline:4"]
    with engine.begin() as db:  # one device connects
        NotificationQueue(engine).withdraw(db, ["guard"], ["device_offline:2"])
    ticks.advance(HOLD_FAULTS_S - 1.0)
    assert queued() == ["alert:3", "device_offline:4"]
    ticks.advance(1.0)
    assert queued() == ["alert:3", "device_offline:4", "device_offline:1"]


def test_many_reasons_are_taken_in_parts(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr("edge.dashboard.notify.reason_collector.MAX_TAKEN", 3)
    add(range(7))
    collector = ReasonCollector(engine)
    more = [collector.collect(CollectedRule("guard"), ["1"]) for _ in range(3)]
    assert more == [True, True, False]
    assert [row.state for row in rows()] == ["queued"] * 7


def test_rule_without_a_target_drops_its_reasons(
    engine: sa.Engine, add: Callable[..., None], rows: Callable[[], Any]
) -> None:
    """Such as a rule with `push` while no browser has subscribed."""
    add([1])
    ReasonCollector(engine).collect(CollectedRule("guard"), [])
    assert rows() == []
