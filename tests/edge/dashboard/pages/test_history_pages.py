"""The history as it is asked for and drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.pages.history_pages import (
    MAX_DAYS,
    _daily_columns,
    _parse_request,
    _split_at_midnight,
)
from tests.support.dashboard_events import NOW_S, message


def asked(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize("name", ["Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "UTC"])
def test_an_alert_belongs_to_the_day_that_its_zone_has(tmp_path: Path, name: str) -> None:
    zone = ZoneInfo(name)
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    store, history = HistoryStore(engine), HistoryQueries(engine)
    minutes = ((9, 23, 50), (10, 0, 10), (10, 0, 20), (10, 12, 0), (10, 23, 59), (11, 0, 0))
    moments = [datetime(2026, 3, day, hour, minute, tzinfo=zone) for day, hour, minute in minutes]
    store.write_events(
        [message(seq=n, at_s=at.timestamp()) for n, at in enumerate(moments, 1)], NOW_S
    )
    span = AlertFilter(
        datetime(2026, 3, 9, tzinfo=zone).timestamp(),
        datetime(2026, 3, 12, tzinfo=zone).timestamp(),
    )
    bars = _daily_columns(
        _split_at_midnight(history, history.count_per_hour(span), span, zone), span, zone
    )
    assert [sum(bar.parts.values()) for bar in bars] == [1, 4, 1]


def test_a_span_has_an_end() -> None:
    found = _parse_request(asked("span=dates&from=1971-01-01&to=9000-12-31"), UTC, NOW_S)
    days = (found.filter.to_s - found.filter.from_s) / 86_400.0
    assert MAX_DAYS <= days <= MAX_DAYS + 1
    assert found.fields["to"] == "9000-12-31"


@pytest.mark.parametrize("after", ["1_%00", "nan_x", "inf_x", "x_y", "1_", "1_" + "x" * 97])
def test_a_mark_that_is_none_counts_as_not_given(after: str) -> None:
    assert _parse_request(asked(f"after={after}"), UTC, NOW_S).after is None
