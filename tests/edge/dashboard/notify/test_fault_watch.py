from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from edge.config.notify_rule import NotifyRule
from edge.dashboard.base.messages import Health, Message
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import device_faults
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.notify.notifier import Notifier
from tests.support.clock import Clock
from tests.support.dashboard.events import NOW_S

RULE = NotifyRule(
    name="all", about=("device_offline", "camera_stalled", "events_lost"), min_duration_s=0.0
)


class Watched:
    """A dashboard with one device, which looks at it once a second."""

    def __init__(self, engine: sa.Engine, rule: NotifyRule = RULE, is_online: bool = True) -> None:
        self.ticks = Clock()
        self.live = LiveState(self.ticks)
        self.live.set_connection(True, "")
        self._notifier = Notifier([rule], engine, self.live, lambda: None, Clock(NOW_S))
        if is_online:
            self.online()

    def online(self, camera: str = "ok") -> None:
        self.tell("online")
        self.tell(Health(camera=camera))

    def tell(self, body: Any) -> None:
        self.live.apply_message(Message("door1", body, NOW_S))
        self.look()

    def look(self, seconds: float = 1.0) -> None:
        self.ticks.advance(seconds)
        self._notifier.check_devices()


@pytest.fixture
def found(rows: Callable[[], Any]) -> Callable[[], list[str]]:
    """Return what was reported, as topics with details."""
    return lambda: [f"{row.topic} {row.detail or row.total}" for row in rows()]


def set_clear_time(engine: sa.Engine, seconds: float) -> None:
    """Let the faults that are over have ended `seconds` earlier."""
    with engine.begin() as db:
        values = {"cleared_s": device_faults.c.cleared_s - seconds}
        db.execute(sa.update(device_faults).values(values))


def test_each_fault_is_reported_when_it_begins(
    engine: sa.Engine, found: Callable[[], list[str]]
) -> None:
    watched = Watched(engine)
    watched.tell("offline")
    watched.look()
    assert found() == ["device_offline offline"]
    watched.online("stalled")
    watched.look()
    # The first message is withdrawn, because nothing has collected it here.
    assert found() == ["camera_stalled camera: stalled"]
    set_clear_time(engine, 11.0)
    watched.tell("offline")
    assert found() == ["camera_stalled camera: stalled", "device_offline offline"]


def test_fault_that_ends_before_it_is_due_is_withdrawn(
    engine: sa.Engine, found: Callable[[], list[str]]
) -> None:
    rule = NotifyRule(name="all", about=("device_offline",), min_duration_s=60.0)
    watched = Watched(engine, rule)
    watched.tell("offline")
    assert found() == ["device_offline offline"]
    watched.online()
    assert found() == []
    watched.tell("offline")  # too soon: another dashboard may report it
    assert found() == []
    set_clear_time(engine, 11.0)
    watched.look()  # it continues
    assert found() == ["device_offline offline"]


def test_silent_device_is_reported_unless_the_dashboard_was_not_connected(
    engine: sa.Engine, found: Callable[[], list[str]]
) -> None:
    watched = Watched(engine)
    watched.live.set_connection(False, "no route")
    watched.look(500.0)
    watched.live.set_connection(True, "")
    watched.look()
    assert found() == []
    watched.look(101.0)
    assert found() == ["device_offline stalled"]


def test_dashboards_that_share_a_database_report_a_fault_once(
    engine: sa.Engine, found: Callable[[], list[str]]
) -> None:
    one, other = Watched(engine), Watched(engine)
    one.tell("offline")
    other.tell("offline")
    after_restart = Watched(engine, is_online=False)
    after_restart.tell("offline")
    assert found() == ["device_offline offline"]


def test_lost_events_are_reported_when_they_stay_missing(
    engine: sa.Engine, found: Callable[[], list[str]]
) -> None:
    rule = NotifyRule(name="all", about=("events_lost",))
    one, other = Watched(engine, rule), Watched(engine, rule)
    for watched in (one, other):
        watched.live.update_lost({"door1": 2})
        watched.look(20.0)
        watched.live.update_lost({"door1": 0})  # they arrived out of order
        watched.look(20.0)
        watched.live.update_lost({"door1": 3})
        watched.look(1.0)
        watched.look(30.0)
    assert found() == ["events_lost 3"]
    one.live.update_lost({"door1": 5})
    one.look(1.0)
    one.look(30.0)
    assert found() == ["events_lost 3", "events_lost 2"]


def test_forgotten_device_can_fail_again(engine: sa.Engine, found: Callable[[], list[str]]) -> None:
    Watched(engine).tell("offline")
    HistoryStore(engine).retire_devices(["door1"], NOW_S)
    assert found() == []  # the message, which was not due yet, is not sent
    Watched(engine).tell("offline")
    assert found() == ["device_offline offline"]
