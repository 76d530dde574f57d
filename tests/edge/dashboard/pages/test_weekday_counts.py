"""Counting alerts by weekday and hour, and in this week and the last one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.pages.weekday_counts import (
    WEEK_S,
    compare_weeks,
    count_weekday_hours,
    whole_weeks,
)
from tests.support.dashboard.events import NOW_S, message

DAY_S = 86_400.0
#: A Wednesday.
NOW = datetime(2026, 3, 11, 12, 0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[tuple[HistoryStore, HistoryQueries]]:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    yield HistoryStore(engine), HistoryQueries(engine)
    engine.dispose()


def add(store: HistoryStore, moments: list[datetime], device: str = "door1") -> None:
    events = [message(device, seq=n, at_s=at.timestamp()) for n, at in enumerate(moments, 1)]
    store.write_events(events, NOW_S)


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
def test_hours_are_those_of_the_viewer(
    history: tuple[HistoryStore, HistoryQueries], name: str
) -> None:
    store, queries = history
    zone = ZoneInfo(name)
    times = ((9, 0, 0), (9, 7, 59), (9, 8, 1), (9, 8, 59), (10, 23, 50), (15, 0, 10))
    add(store, [datetime(2026, 3, day, h, m, tzinfo=zone) for day, h, m in times])
    from_s = datetime(2026, 3, 9, tzinfo=zone).timestamp()
    wanted = AlertFilter(from_s, from_s + WEEK_S, ended_by="masked")
    counts = count_weekday_hours(queries, wanted, zone)
    found = {(d, h): n for d, row in enumerate(counts) for h, n in enumerate(row) if n}
    assert found == {(0, 0): 1, (0, 7): 1, (0, 8): 2, (1, 23): 1, (6, 0): 1}


@pytest.mark.parametrize(("days", "weeks"), [(1, 0), (6.9, 0), (7, 1), (30, 4), (365, 52)])
def test_only_whole_weeks_are_compared(days: float, weeks: int) -> None:
    wanted = AlertFilter(NOW_S - days * DAY_S, NOW_S, "door1")
    found, count = whole_weeks(wanted)
    assert count == weeks
    assert (found.to_s, found.device) == (NOW_S, "door1")
    assert found.to_s - found.from_s == (weeks * WEEK_S if weeks else days * DAY_S)


def test_week_without_an_hour_is_whole() -> None:
    """In the week in which summer time begins, the days between two dates lack an hour."""
    found, count = whole_weeks(AlertFilter(NOW_S - WEEK_S + 3600.0, NOW_S))
    assert (count, found.from_s) == (1, NOW_S - WEEK_S + 3600.0)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kolkata"])
def test_weeks_are_compared_until_the_same_time(
    history: tuple[HistoryStore, HistoryQueries], name: str
) -> None:
    store, queries = history
    zone = ZoneInfo(name)
    now = NOW.replace(tzinfo=zone)
    ago = [timedelta(minutes=1), timedelta(days=2), timedelta(days=2, minutes=1)]
    week = timedelta(days=7)
    # The last of these is on the Sunday before the last week.
    last = [week - timedelta(minutes=1), week + timedelta(minutes=1), week + timedelta(days=3)]
    add(store, [now - at for at in (*ago, *last)])
    add(store, [now], "door2")
    wanted = AlertFilter(0.0, 1.0, "door1")
    found = compare_weeks(queries, wanted, zone, now.timestamp())
    assert found.this_week == (2, 0, 1)
    assert found.last_week == (0, 0, 2, 0, 0, 0, 0)
    assert found.last_week_so_far == 1
    everywhere = compare_weeks(queries, AlertFilter(0.0, 1.0), zone, now.timestamp())
    assert everywhere.this_week == (2, 0, 2)


def test_week_that_has_just_begun(history: tuple[HistoryStore, HistoryQueries]) -> None:
    _, queries = history
    monday = datetime(2026, 3, 9, tzinfo=UTC)
    found = compare_weeks(queries, AlertFilter(0.0, 1.0), UTC, monday.timestamp())
    assert (found.this_week, found.last_week, found.last_week_so_far) == ((0,), (0,) * 7, 0)
