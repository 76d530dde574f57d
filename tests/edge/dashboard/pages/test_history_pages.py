"""The History page: its query, charts, table, and CSV export."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp

from edge.dashboard.base.messages import Message
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.pages.history_pages import (
    ALERTS_PER_PAGE,
    CSV_COLUMNS,
    MAX_COLUMNS,
    MAX_DAYS,
    _daily_columns,
    _hourly_columns,
    _parse_request,
    _split_at_midnight,
    _spreadsheet_safe,
)
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.events import NOW_S, message
from tests.support.dashboard.http_client import call_app

DAY_S = 86_400.0


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize("name", ["Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "UTC"])
def test_alerts_are_counted_on_local_days(tmp_path: Path, name: str) -> None:
    zone = ZoneInfo(name)
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    store, history = HistoryStore(engine), HistoryQueries(engine)
    minutes = ((9, 23, 50), (10, 0, 10), (10, 0, 20), (10, 12, 0), (10, 23, 59), (11, 0, 0))
    moments = [datetime(2026, 3, day, hour, minute, tzinfo=zone) for day, hour, minute in minutes]
    store.write_events(
        [message(seq=n, at_s=at.timestamp()) for n, at in enumerate(moments, 1)], NOW_S
    )
    days = AlertFilter(
        datetime(2026, 3, 9, tzinfo=zone).timestamp(),
        datetime(2026, 3, 12, tzinfo=zone).timestamp(),
    )
    counts = _split_at_midnight(history, history.count_per_hour(days), days, zone)
    columns = _daily_columns(counts, days, zone)
    assert [column.total for column in columns] == [1, 4, 1]


def test_long_period_has_several_days_per_column() -> None:
    period = AlertFilter(0.0, 1000 * DAY_S)
    columns = _daily_columns([(999 * DAY_S, "no_mask", 3), (0.0, "no_mask", 1)], period, UTC)
    assert len(columns) <= MAX_COLUMNS
    assert (columns[0].total, columns[-1].total) == (1, 3)
    assert columns[0].name == "Thu 01 Jan 1970"


def test_hourly_columns_cover_partial_hours() -> None:
    period = AlertFilter(1800.0, 3 * 3600.0 + 1.0)
    columns = _hourly_columns([(1, "no_mask", 2), (1, "incorrect_mask", 1)], period, UTC)
    assert [column.tick for column in columns] == ["00:00", "01:00", "02:00", "03:00"]
    assert [column.total for column in columns] == [0, 3, 0, 0]
    # Labels of a whole day are at multiples of their distance.
    columns = _hourly_columns([], AlertFilter(5 * 3600.0, 29 * 3600.0), UTC)
    assert [c.tick for c in columns if c.tick] == ["06:00", "12:00", "18:00", "00:00"]


def test_period_between_dates_is_limited() -> None:
    found = _parse_request(request("span=dates&from=1971-01-01&to=9000-12-31"), UTC, NOW_S)
    days = (found.filter.to_s - found.filter.from_s) / DAY_S
    assert MAX_DAYS <= days <= MAX_DAYS + 1
    assert found.fields["to"] == "9000-12-31"


def test_swapped_dates_are_put_in_order() -> None:
    found = _parse_request(request("span=dates&from=2026-03-02&to=2026-03-01"), UTC, NOW_S)
    assert (found.fields["from"], found.fields["to"]) == ("2026-03-01", "2026-03-02")
    assert found.filter.to_s - found.filter.from_s == 2 * DAY_S


@pytest.mark.parametrize("span", ["", "span=7&", "span=dates&", "span=x&"])
@pytest.mark.parametrize(
    ("dates", "days"),
    [
        ("from=2026-03-01&to=2026-03-02", ("2026-03-01", "2026-03-02")),
        ("from=2026-03-01&to=", ("2026-03-01", "2026-09-21")),  # until today
        ("from=&to=2026-03-02", ("2016-02-23", "2026-03-02")),  # the last MAX_DAYS days
        ("from=2027-01-01", ("2027-01-01", "2027-01-01")),
    ],
)
def test_given_dates_select_the_period(span: str, dates: str, days: tuple[str, str]) -> None:
    found = _parse_request(request(f"{span}{dates}"), UTC, NOW_S)
    assert found.fields["span"] == "dates"
    first, last = (datetime.fromisoformat(f"{day}T00:00Z").timestamp() for day in days)
    assert (found.filter.from_s, found.filter.to_s) == (first, last + DAY_S)


@pytest.mark.parametrize(
    "query",
    ["", "span=8", "span=dates", "span=dates&from=2026-13-01", "device=a b&label=x&ended=y"],
)
def test_invalid_values_are_replaced_by_defaults(query: str) -> None:
    found = _parse_request(request(query), UTC, NOW_S)
    assert found.fields == {
        "span": "7", "device": "", "label": "", "ended": "", "from": "", "to": "",
    }  # fmt: skip
    assert found.filter.from_s == NOW_S - 7 * DAY_S


@pytest.mark.parametrize("after", ["1_%00", "nan_x", "inf_x", "x_y", "1_", "1_" + "x" * 97])
def test_invalid_cursor_is_ignored(after: str) -> None:
    assert _parse_request(request(f"after={after}"), UTC, NOW_S).after is None


def fill(context: PageContext, count: int) -> list[str]:
    """Store alerts that started a second apart; return their episodes, newest first."""
    now_s = time.time()
    events = [
        message(
            f"door{n % 2}", seq=n, at_s=now_s - n, label="incorrect_mask" if n == 1 else "no_mask"
        )
        for n in range(1, count + 1)
    ]
    context.store.write_events(events, now_s)
    return [event.episode for event in events]


def test_table_continues_on_the_next_page(app: ASGIApp, context: PageContext) -> None:
    fill(context, ALERTS_PER_PAGE + 3)
    first = call_app(app, "GET", "/history").text
    assert first.count('data-label="Started"') == ALERTS_PER_PAGE
    query = first.split('href="/history?')[1].split('"')[0].replace("&amp;", "&")
    second = call_app(app, "GET", "/history", query=query).text
    assert second.count('data-label="Started"') == 3
    assert "Back to the newest alerts" in second


def test_page_shows_totals_and_texts(app: ASGIApp, context: PageContext) -> None:
    fill(context, 3)
    page = call_app(app, "GET", "/history", query="ended=open").text
    assert "<strong>3</strong> started in this period" in page
    assert "mask worn incorrectly" in page
    assert "end not reported" in page
    assert "the filter “End” applies to the table only" in page
    assert "Last 365 days" in page
    assert 'aria-label="Alerts per day: 3 in total; maximum 3' in page


def test_first_page_shows_when_alerts_happen(app: ASGIApp, context: PageContext) -> None:
    empty = call_app(app, "GET", "/history").text
    assert "When it happens" not in empty
    assert "0 so far this week" in empty
    fill(context, 3)
    page = call_app(app, "GET", "/history", query="label=incorrect_mask&span=30").text
    assert "in the last 4 whole weeks of the period" in page
    assert sum(map(int, re.findall(r'<td class="heat\d">(\d+)</td>', page))) == 1
    older = call_app(app, "GET", "/history", query="after=1_x").text
    assert "When it happens" not in older
    assert "This week and the last" not in older


@pytest.mark.parametrize("query", ["span=dates", "span=dates&from=2026-13-01&to="])
def test_page_says_that_a_date_is_missing(app: ASGIApp, query: str) -> None:
    notice = "enter at least one date. The page shows: Last 7 days."
    assert notice in call_app(app, "GET", "/history", query=query).text
    assert notice not in call_app(app, "GET", "/history", query=f"{query}&from=2026-03-01").text
    # A file could not say that it has other days than those that were wanted.
    export = call_app(app, "GET", "/history.csv", query=query)
    assert (export.status, export.headers["location"]) == (303, f"/history?{query}")


def test_running_alert_is_ongoing_on_page(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    for device, status in (("door1", "online"), ("door2", "offline")):
        event = message(device, at_s=now_s)
        context.live_state.update_alerts(context.store.write_events([event], now_s).alerts)
        context.live_state.apply_message(Message(device, status, now_s))
    page = call_app(app, "GET", "/history").text
    assert page.count('data-label="End">ongoing<') == 1
    assert page.count('data-label="End">end not reported<') == 1


def test_filters_apply_to_page_and_export(app: ASGIApp, context: PageContext) -> None:
    fill(context, 5)
    page = call_app(app, "GET", "/history", query="device=door1&label=no_mask").text
    assert page.count('data-label="Started"') == 2
    export = call_app(app, "GET", "/history.csv", query="device=door1&label=no_mask")
    rows = list(csv.reader(io.StringIO(export.text)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row[0] for row in rows[1:]] == ["door1", "door1"]


@pytest.mark.slow
def test_export_contains_more_than_one_part(app: ASGIApp, context: PageContext) -> None:
    episodes = fill(context, 1100)
    export = call_app(app, "GET", "/history.csv", query="span=1")
    assert export.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert [row["id"] for row in rows] == episodes


def test_names_are_safe_in_spreadsheets() -> None:
    assert _spreadsheet_safe("-door") == "'-door"
    assert _spreadsheet_safe("door-1") == "door-1"
