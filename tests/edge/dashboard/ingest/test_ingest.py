"""What comes is kept, whatever else comes: the thread that writes never gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.base.device_slots import MAX_SLOTS, SILENT_AFTER_S
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.retention import RetentionJob
from edge.dashboard.history.store import HistoryStore, WriteResult
from edge.dashboard.ingest.ingest import Ingest
from edge.dashboard.ingest.subscriber import ReceivedMessage
from edge.dashboard.ingest.validation import MAX_NUMBER, MessageValidator
from edge.dashboard.live.live_state import LiveState
from tests.support.brokers import wait_until
from tests.support.dashboard_events import NOW_S, encoded, start

BEGAN_S = time.monotonic()


def ticks() -> float:
    """Seconds that pass, whatever the date."""
    return time.monotonic() - BEGAN_S


class Picky(HistoryStore):
    """A database that does not take the seventh event of a device, for whatever reason."""

    def write_events(self, batch: Sequence[EventMessage], now_s: float) -> WriteResult:
        if any(event.seq == 7 for event in batch):
            raise self.error
        return super().write_events(batch, now_s)

    error: Exception = OverflowError("Python int too large to convert to SQLite INTEGER")


class Bench:
    """An ingest at work, and what it acknowledged."""

    def __init__(self, store: HistoryStore, engine: sa.Engine, shared_as: str = "") -> None:
        self.board, self.intake = LiveState(), MessageValidator("maskpatrol")
        self.ingest = Ingest(
            self.intake,
            store,
            HistoryQueries(engine),
            self.board,
            shared_as,
            lambda: NOW_S + ticks(),
        )
        self.done: list[tuple[str, int]] = []

    def say(self, device: str, leaf: str, body: Any) -> None:
        mark = (device, body.get("seq", 0))
        topic = f"maskpatrol/{device}/{leaf}"
        self.ingest.take(
            ReceivedMessage(topic, encoded(body), False, 1, lambda: self.done.append(mark))
        )

    @property
    def disk(self) -> str:
        return str(self.board.changes_since(-1)[1]["link"]["disk"])


@pytest.fixture
def bench(engine: sa.Engine) -> Iterator[Bench]:
    made = Bench(HistoryStore(engine), engine)
    made.ingest.start()
    yield made
    made.ingest.stop()


def test_numbers_that_lie_stop_nothing(bench: Bench) -> None:
    for _ in range(1100):
        for seq in (1, MAX_NUMBER):
            bench.say("evil", "events", start("evil", seq))
    bench.say("door1", "events", start("door1", 1))
    wait_until(lambda: ("door1", 1) in bench.done, "the event of another device", 60)
    assert len(bench.done) == 2201
    assert bench.disk == ""
    assert bench.intake.refused == {}


def test_a_warning_that_no_database_keeps_spoils_no_other(bench: Bench, engine: sa.Engine) -> None:
    bench.say("evil", "health", {"warnings": ["a\0b"]})
    bench.say("door1", "health", {"warnings": ["hot"]})
    history = HistoryQueries(engine)
    wait_until(lambda: len(history.troubles("", 9)) == 2, "both", 20)
    assert {t["text"] for t in history.troubles("", 9)} == {"ab", "hot"}
    assert bench.disk == ""


@pytest.mark.parametrize(
    "error", [Picky.error, sa.exc.DataError("INSERT", {}, Exception("bigint out of range"))]
)
def test_an_event_that_the_database_does_not_take_is_refused_alone(
    tmp_path: Path, error: Exception
) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    store = Picky(engine)
    store.error = error
    bench = Bench(store, engine)
    for seq in range(1, 21):
        bench.say("door1", "events", start("door1", seq))
    bench.ingest.start()
    wait_until(lambda: len(bench.done) == 20, "all of them", 20)
    wait_until(lambda: bench.ingest.written == 19, "those that can be kept", 20)
    assert bench.intake.refused == {"kept": 1}
    bench.ingest.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_told(tmp_path: Path) -> None:
    class Dying(HistoryStore):
        def write_events(self, batch: Sequence[EventMessage], now_s: float) -> WriteResult:
            raise SystemExit

    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    bench = Bench(Dying(engine), engine)
    bench.ingest.start()
    bench.say("door1", "events", start("door1", 1))
    wait_until(lambda: "restart the dashboard" in bench.disk, "the word of its death", 20)
    bench.ingest.stop()


@pytest.mark.parametrize(("synced", "ahead_s"), [(True, 9e7), (False, 0.0)])
def test_the_tidier_follows_a_clock_that_jumps_only_if_ntp_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: bool, ahead_s: float
) -> None:
    tidier = RetentionJob(open_database(f"sqlite:///{tmp_path}/x.sqlite3"), 400.0, 1000)
    began_s = time.time()
    monkeypatch.setattr("edge.dashboard.history.retention.clock_is_synchronised", lambda: synced)
    monkeypatch.setattr("edge.dashboard.history.retention.time.time", lambda: began_s + 9e7)
    assert tidier._now_s() == pytest.approx(began_s + ahead_s, abs=30.0)


def listed(bench: Bench) -> list[str]:
    return [device.name for device in bench.board.devices()]


def keep(bench: Bench, device: str) -> None:
    """What the broker had kept of it comes, as after each connection."""
    topic = f"maskpatrol/{device}/status"
    bench.ingest.take(ReceivedMessage(topic, b"offline", True, 1, lambda: None))


def test_a_device_that_was_forgotten_is_back_when_it_speaks(
    bench: Bench, engine: sa.Engine
) -> None:
    for name in ("door1", "door2"):
        bench.say(name, "state", {"no_mask": False, "people": 0})
    bench.ingest.forget("door1")
    keep(bench, "door1")
    assert listed(bench) == ["door2"]
    # … as it is after a restart …
    again = Bench(HistoryStore(engine), engine)
    again.ingest.start()
    keep(again, "door1")
    assert "door1" not in listed(again)
    # … until it speaks.
    again.say("door1", "state", {"no_mask": False, "people": 0})
    assert "door1" in listed(again)
    history = HistoryQueries(engine)
    wait_until(lambda: not history.retired_devices(), "it is kept", 20)
    again.ingest.stop()


def test_all_dashboards_of_one_database_forget(engine: sa.Engine) -> None:
    one, two = (Bench(HistoryStore(engine), engine, name) for name in ("one", "two"))
    for bench in (one, two):
        bench.ingest.start()
        bench.say("door1", "state", {"no_mask": False, "people": 0})
        assert listed(bench) == ["door1"]
    one.ingest.forget("door1")
    wait_until(lambda: listed(two) == [], "the other one has heard of it", 20)
    keep(two, "door1")
    assert listed(two) == []
    for bench in (one, two):
        bench.say("door1", "state", {"no_mask": False, "people": 0})
    history = HistoryQueries(engine)
    wait_until(lambda: not history.retired_devices(), "it is back", 20)
    assert listed(one) == listed(two) == ["door1"]
    for bench in (one, two):
        bench.ingest.stop()


def test_more_names_than_there_are_places_are_told(bench: Bench) -> None:
    bench.say("door1", "state", {"no_mask": False, "people": 0})
    for number in range(MAX_SLOTS + 300):
        bench.say(f"d{number}", "state", {"no_mask": False, "people": 0})
    names = listed(bench)
    assert len(names) == MAX_SLOTS
    assert "door1" in names
    crowd = lambda: bench.board.changes_since(-1)[1]["link"]["crowd"]  # noqa: E731
    wait_until(lambda: "somebody invents them" in crowd(), "the notice", 20)


def test_events_in_invented_names_take_no_device_off_the_list(
    bench: Bench, engine: sa.Engine
) -> None:
    """However long they wait to be written, and whoever has their places then."""
    for number in range(20):
        bench.say(f"real{number}", "state", {"no_mask": False, "people": 0})
    for number in range(2 * MAX_SLOTS + 500):
        bench.say(f"d{number}", "events", start(f"d{number}", 1))
    names = listed(bench)
    wait_until(lambda: len(bench.done) == 2 * MAX_SLOTS + 520, "all are written", 120)
    assert bench.intake.refused == {}
    assert listed(bench) == names
    assert len(names) == MAX_SLOTS
    assert {f"real{number}" for number in range(20)} < set(names)


def test_an_event_that_waits_does_not_bring_back_a_forgotten_device(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    bench = Bench(HistoryStore(engine), engine)
    bench.say("door1", "events", start("door1", 1))
    assert listed(bench) == ["door1"]
    bench.ingest.forget("door1")
    bench.ingest.start()
    wait_until(lambda: bench.ingest.written == 1, "the event is kept", 20)
    bench.ingest.stop()
    assert listed(bench) == []


def test_a_device_that_comes_back_while_another_dashboard_asks_stays(engine: sa.Engine) -> None:
    bench = Bench(HistoryStore(engine), engine, "one")
    bench.ingest.forget("door1")

    class Asked(set[str]):
        """Chores are done in the middle of it, as far as they may."""

        def discard(self, name: str) -> None:
            super().discard(name)
            self.chores = threading.Thread(target=bench.ingest._keep_retired, args=(NOW_S,))
            self.chores.start()
            self.chores.join(0.5)

    asked = bench.ingest._retired = Asked(bench.ingest._retired)
    bench.say("door1", "state", {"no_mask": False, "people": 0})
    asked.chores.join(20)
    assert listed(bench) == ["door1"]
    assert bench.intake._places.hear("door1", ticks()) is not None


def test_a_restart_is_no_word_of_who_is_silent(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    store = HistoryStore(engine)
    heard_s = {f"d{number}": NOW_S - 60.0 for number in range(MAX_SLOTS)}
    heard_s["d5"] = NOW_S - 2 * SILENT_AFTER_S  # long since, and yet one of those that came first
    store.update_last_seen(heard_s)
    bench = Bench(store, engine)
    bench.ingest.start()
    assert len(listed(bench)) == MAX_SLOTS
    bench.say("door1", "state", {"no_mask": False, "people": 0})
    assert set(listed(bench)) == {*heard_s, "door1"} - {"d5"}
    bench.ingest.stop()


def test_what_the_broker_keeps_of_a_forgotten_device_costs_nobody_a_place(
    bench: Bench,
) -> None:
    bench.ingest.forget("old")
    for number in range(MAX_SLOTS):
        bench.say(f"d{number}", "state", {"no_mask": False, "people": 0})
    names = listed(bench)
    keep(bench, "old")
    assert listed(bench) == names
    assert len(names) == MAX_SLOTS
    assert bench.intake.refused == {}
