from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from edge.config.notify_rule import NotifyRule
from edge.dashboard.base.messages import EventMessage, Info, Message
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import events
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.notify.notification_queue import NotificationQueue
from edge.dashboard.notify.notifier import Notifier
from edge.dashboard.notify.reason_collector import CollectedRule, ReasonCollector
from tests.support.clock import Clock
from tests.support.dashboard.events import NOW_S, message, visit

Write = Callable[..., int]


@pytest.fixture
def live() -> LiveState:
    state = LiveState(Clock())
    state.apply_message(Message("door1", Info(title="Hall"), NOW_S))
    return state


@pytest.fixture
def write(engine: sa.Engine, live: LiveState) -> Write:
    """Store events with these rules; return how many were new."""

    def store(batch: list[EventMessage], *rules: NotifyRule) -> int:
        notifier = Notifier(rules, engine, live, lambda: None, Clock(NOW_S))
        return HistoryStore(engine, on_new=notifier.add_alerts).write_events(batch, NOW_S).new

    return store


def test_each_alert_is_added_once_for_each_rule(write: Write, rows: Callable[[], Any]) -> None:
    rules = (NotifyRule(name="a"), NotifyRule(name="b"), NotifyRule(name="c", doors=("door2",)))
    batch = visit(1)
    write(batch, *rules)
    write(batch, *rules)
    (first, second) = rows()
    assert {first.rule, second.rule} == {"a", "b"}
    assert (first.key, first.title, first.state) == (f"alert:{batch[0].episode}", "Hall", "waiting")
    assert first.first_s == NOW_S
    assert 3590.0 < first.expires_s - first.due_s <= 3600.0


def test_short_alert_causes_no_notification(write: Write, rows: Callable[[], Any]) -> None:
    """Whether its end arrives with its start, later, or before it (from another dashboard)."""
    rule = NotifyRule(name="a", min_duration_s=10.0)
    for number, parts in enumerate(([[0, 1]], [[0], [1]], [[1], [0]])):
        events_of_visit = visit(1 + number)  # lasts for 4 s
        for part in parts:
            write([events_of_visit[index] for index in part], rule)
    assert rows() == []
    long = message("door1", 99, at_s=NOW_S)
    write([long], rule)
    (row,) = rows()
    assert row.state == "waiting"


def test_alert_of_a_device_that_was_not_connected_is_aged(
    write: Write, rows: Callable[[], Any]
) -> None:
    rule = NotifyRule(name="a", max_age_min=1.0)
    late = message("door1", 1, at_s=NOW_S)
    write([_received(late, 59.0)], rule)
    write([_received(message("door1", 2, at_s=NOW_S), 61.0)], rule)
    (row,) = rows()
    assert row.key == f"alert:{late.episode}"
    assert row.expires_s - row.due_s < 2.0


def test_alert_in_a_digest_does_not_become_too_old(
    engine: sa.Engine, write: Write, rows: Callable[[], Any], pass_time: Callable[[float], None]
) -> None:
    """Whether the digest is longer than the age limit, or the alert arrived late."""
    rule = NotifyRule(name="a", digest_min=90.0, max_age_min=60.0)
    write([_received(message("door1", 1, at_s=NOW_S), 3000.0)], rule)
    write([message("door1", 2, at_s=NOW_S)], rule)
    pass_time(90 * 60.0)
    assert NotificationQueue(engine).give_up_expired() == 0
    assert not ReasonCollector(engine).collect(CollectedRule("a", digest_s=5400.0), ["1"])
    (row,) = rows()
    assert (row.state, row.total, row.target) == ("queued", 2, "1")


def test_failure_does_not_keep_events_from_being_stored(
    engine: sa.Engine, live: LiveState, monkeypatch: pytest.MonkeyPatch, rows: Callable[[], Any]
) -> None:
    notifier = Notifier([NotifyRule(name="a")], engine, live, lambda: None, Clock(NOW_S))
    monkeypatch.setattr(live, "device", lambda name: 1 / 0)
    store = HistoryStore(engine, on_new=notifier.add_alerts)
    assert store.write_events(visit(1), NOW_S).new == 2
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(events)) == 2
    assert rows() == []


def _received(event: EventMessage, age_s: float) -> EventMessage:
    return replace(event, received_s=event.at_s + age_s)
