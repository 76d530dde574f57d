"""The parts of the ingest together: messages are written and shown, also after hostile input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.base.device_slots import MAX_SLOTS
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.health_log import FIGURES_EVERY_S
from edge.dashboard.ingest.ingest import Ingest
from edge.dashboard.ingest.validation import MAX_NUMBER, MessageValidator
from edge.dashboard.live.live_state import LiveState
from tests.support.clock import RunningClock
from tests.support.dashboard.events import NOW_S, encoded, start
from tests.support.waiting import wait_until

STARTED_S = time.monotonic()
DAY_S = 86_400.0
STATE = {"no_mask": False, "people": 0}


class Harness:
    """An ingest, and a record of the messages that it acknowledged, by device and number."""

    def __init__(self, engine: sa.Engine, shared_as: str = "") -> None:
        self.clock, self.ticks = RunningClock(), RunningClock()
        self.live = LiveState(self.ticks)
        self.validator = MessageValidator("maskpatrol", ticks=self.ticks)
        self.ingest = Ingest(
            self.validator,
            HistoryStore(engine),
            HistoryQueries(engine),
            self.live,
            shared_as,
            lambda: NOW_S + self.clock() - STARTED_S,
            self.ticks,
        )
        self.acknowledged: list[tuple[str, int]] = []

    def receive(self, device: str, leaf: str, body: Any) -> None:
        key = (device, body.get("seq", 0))
        topic = f"maskpatrol/{device}/{leaf}"
        self.ingest.receive(
            ReceivedMessage(topic, encoded(body), False, 1, lambda: self.acknowledged.append(key))
        )

    def pass_time(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.clock.advance(seconds)
        self.ticks.advance(seconds)

    @property
    def conditions(self) -> dict[str, str]:
        """The condition of each device that the pages show."""
        rows = self.live.changes_since(-1)[1]["devices"]
        return {row["device"]: row["condition"] for row in rows}

    @property
    def listed(self) -> list[str]:
        return [device.name for device in self.live.devices()]

    @property
    def link(self) -> dict[str, Any]:
        return dict(self.live.changes_since(-1)[1]["link"])


@pytest.fixture
def harness(engine: sa.Engine) -> Iterator[Harness]:
    made = Harness(engine)
    made.ingest.start()
    yield made
    made.ingest.stop()


@pytest.mark.slow
def test_event_is_written_shown_and_acknowledged(harness: Harness, engine: sa.Engine) -> None:
    body = start("door1", 3)
    harness.receive("door1", "events", body)
    wait_until(lambda: harness.acknowledged == [("door1", 3)], "the event is acknowledged")
    wait_until(lambda: harness.ingest.written == 1, "the event is written")
    assert [alert["episode"] for alert in HistoryQueries(engine).newest_alerts(9)] == [body["id"]]
    wait_until(
        lambda: (
            [a["episode"] for a in harness.live.changes_since(-1)[1].get("alerts", [])]
            == [body["id"]]
        ),
        "the alert is shown",
    )


def test_start_shows_what_the_database_holds(harness: Harness, engine: sa.Engine) -> None:
    harness.receive("door1", "events", start("door1", 1))
    harness.receive("door1", "events", start("door1", 4))
    wait_until(lambda: harness.ingest.written == 2, "the events are written")
    restarted = Harness(engine)
    restarted.ingest.start()
    shown = restarted.live.changes_since(-1)[1]
    assert len(shown["alerts"]) == 2
    assert [(row["device"], row["lost"]) for row in shown["devices"]] == [("door1", 2)]
    restarted.ingest.stop()


def test_undecodable_topic_is_counted(harness: Harness) -> None:
    harness.ingest.receive(None)
    assert harness.validator.refused == {"topic": 1}


def test_refused_message_is_acknowledged(harness: Harness) -> None:
    harness.receive("door1", "state", {"no_mask": "yes"})
    assert harness.acknowledged == [("door1", 0)]
    assert harness.validator.refused == {"schema": 1}


@pytest.mark.slow
def test_extreme_sequence_numbers_are_stored(harness: Harness) -> None:
    for _ in range(1100):
        for seq in (1, MAX_NUMBER):
            harness.receive("evil", "events", start("evil", seq))
    harness.receive("door1", "events", start("door1", 1))
    wait_until(
        lambda: ("door1", 1) in harness.acknowledged, "the event of another device is written", 60
    )
    assert len(harness.acknowledged) == 2201
    assert harness.link["disk"] == ""
    assert harness.validator.refused == {}


@pytest.mark.slow
def test_nul_in_a_warning_does_not_stop_writing(harness: Harness, engine: sa.Engine) -> None:
    harness.receive("evil", "health", {"warnings": ["a\0b"]})
    harness.receive("door1", "health", {"warnings": ["hot"]})
    history = HistoryQueries(engine)
    wait_until(lambda: len(history.problems("", 9)) == 2, "both warnings are written")
    assert {row["text"] for row in history.problems("", 9)} == {"ab", "hot"}
    assert harness.link["disk"] == ""


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_setting_the_clock_stops_nothing(
    harness: Harness, engine: sa.Engine, jump_s: float
) -> None:
    history = HistoryQueries(engine)

    def seen_s() -> float:
        return dict(history.listed_devices()).get("door1") or 0.0

    def figures() -> list[float]:
        return [row["at_s"] for row in history.figures("door1", 0.0, 1.0)]

    harness.receive("door1", "health", {"camera": "ok"})
    wait_until(lambda: len(figures()) == 1 and seen_s() > 0.0, "the first report is stored")
    harness.clock.advance(jump_s)
    assert harness.conditions == {"door1": "online"}
    harness.pass_time(FIGURES_EVERY_S)
    harness.receive("door1", "health", {"camera": "ok"})
    wait_until(lambda: len(figures()) == 2, "figures are kept")
    wait_until(lambda: abs(seen_s() - NOW_S - jump_s) < DAY_S / 2, "the last message is stored")
    harness.pass_time(10 * FIGURES_EVERY_S)
    wait_until(lambda: harness.conditions == {"door1": "stalled"}, "the silence is noticed")
    wait_until(lambda: bool(history.problems("door1", 9)), "the silence is stored as a problem")


def test_lost_events_become_a_problem(harness: Harness, engine: sa.Engine) -> None:
    harness.receive("door1", "events", start("door1", 1))
    harness.receive("door1", "events", start("door1", 4))
    history = HistoryQueries(engine)
    wait_until(lambda: bool(history.problems("door1", 9)), "the problem is written")
    assert [row["text"] for row in history.problems("door1", 9)] == ["2 events are missing so far"]


@pytest.mark.slow
def test_returned_device_is_written(harness: Harness, engine: sa.Engine) -> None:
    harness.receive("door1", "state", STATE)
    harness.ingest.forget("door1")
    assert harness.listed == []
    harness.receive("door1", "state", STATE)
    history = HistoryQueries(engine)
    wait_until(lambda: not history.retired_devices(), "the return of the device is written")
    assert harness.listed == ["door1"]


@pytest.mark.slow
def test_dashboards_on_one_database_share_the_list(engine: sa.Engine) -> None:
    one, two = (Harness(engine, name) for name in ("one", "two"))
    for each in (one, two):
        each.ingest.start()
        each.receive("door1", "state", STATE)
    wait_until(
        lambda: one.ingest.others_are_running, "the first dashboard sees the second one's heartbeat"
    )
    one.ingest.forget("door1")
    wait_until(lambda: two.listed == [], "the second dashboard removes the device from its list")
    for each in (one, two):
        each.receive("door1", "state", STATE)
    history = HistoryQueries(engine)
    wait_until(lambda: not history.retired_devices(), "the return of the device is written")
    assert one.listed == two.listed == ["door1"]
    for each in (one, two):
        each.ingest.stop()


@pytest.mark.slow
def test_too_many_devices_are_reported(harness: Harness) -> None:
    for number in range(MAX_SLOTS + 1):
        harness.receive(f"d{number}", "state", STATE)
    wait_until(lambda: "publishes invented names" in harness.link["crowd"], "the warning is shown")
    assert len(harness.listed) == MAX_SLOTS


@pytest.mark.slow
def test_invented_names_replace_no_real_device(harness: Harness) -> None:
    """The events of the invented names wait for the database while other names get their slots."""
    for number in range(20):
        harness.receive(f"real{number}", "state", STATE)
    for number in range(2 * MAX_SLOTS + 500):
        harness.receive(f"d{number}", "events", start(f"d{number}", 1))
    listed = harness.listed
    count = 2 * MAX_SLOTS + 520
    wait_until(lambda: len(harness.acknowledged) == count, "all events are written", 120)
    assert harness.validator.refused == {}
    assert harness.listed == listed
    assert len(listed) == MAX_SLOTS
    assert {f"real{number}" for number in range(20)} < set(listed)


def test_waiting_event_does_not_list_a_forgotten_device(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    harness = Harness(engine)
    harness.receive("door1", "events", start("door1", 1))
    assert harness.listed == ["door1"]
    harness.ingest.forget("door1")
    harness.ingest.start()
    wait_until(lambda: harness.ingest.written == 1, "the event is written")
    harness.ingest.stop()
    assert harness.listed == []
    engine.dispose()
