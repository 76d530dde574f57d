"""The History page: charts and a table of alerts, and their export as CSV."""

from __future__ import annotations

import csv
import io
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.common.clock import iso_utc
from edge.dashboard.base.local_time import local_time
from edge.dashboard.base.messages import MAX_CLOCK_AHEAD_S
from edge.dashboard.history.queries import AlertFilter, HistoryQueries, PageCursor
from edge.dashboard.history.store import HOUR_S, AlertRow
from edge.dashboard.ingest.validation import DEVICE_NAME, EPISODE_ID
from edge.dashboard.pages import display_times
from edge.dashboard.pages.charts import MAX_TICKS, Column, bar_chart, column_chart
from edge.dashboard.pages.page_context import LABELS, page_context
from edge.dashboard.pages.weekday_charts import compare_totals, heat_map, week_chart
from edge.dashboard.pages.weekday_counts import compare_weeks, count_weekday_hours, whole_weeks

DAY_S = 86_400.0
#: The options of the filter "Period": number of days, and text.
SPANS = {
    "1": "Last 24 hours",
    "7": "Last 7 days",
    "30": "Last 30 days",
    "365": "Last 365 days",
}
DEFAULT_SPAN = "7"
#: The value of the filter "Period" while the dates select the period.
DATES = "dates"
#: Values of the filters "Label" and "End"; `open` stands for alerts without an end.
ALERT_LABELS, ENDS = ("no_mask", "incorrect_mask"), ("masked", "left", "shutdown", "open")
ALERTS_PER_PAGE, MAX_DEVICES, MAX_GAPS = 50, 10, 20
#: Maximum length of the period in days. Of a longer period, only the last days are shown.
MAX_DAYS = 3660
#: The chart of a period up to this length has one column per hour; else it has one per day.
MAX_HOURLY_DAYS = 3.0
#: Maximum number of columns in a chart: more columns could not be distinguished.
MAX_COLUMNS = 400
CSV_COLUMNS = (
    "device", "camera", "label", "score", "started", "ended", "ended_by", "duration_s",
    "clock_synced", "replayed", "acknowledged", "id", "model",
    "acknowledged_by", "note",
)  # fmt: skip

#: Spreadsheets take text that begins with one of these for a formula.
FORMULA_STARTS = ("-", "=", "+", "@")
#: Time (seconds since the epoch), label, and number of alerts.
Counts = Sequence[tuple[float, str, int]]


@dataclass(frozen=True)
class HistoryRequest:
    """The query of a request for the history.

    `fields` are the values for the form after invalid ones were replaced. `after` is the last
    alert of the previous page, None on the first page.
    """

    filter: AlertFilter
    fields: Mapping[str, str]
    after: PageCursor | None


async def history(request: Request) -> Response:
    """Return the page."""
    context, zone = page_context(request), display_times.request_zone(request)
    now_s = time.time()
    query = _parse_request(request, zone, now_s)
    values = await run_in_threadpool(
        _page_values, context.history, query, zone, context.device_name
    )
    if query.after is None:
        values |= await run_in_threadpool(
            _weekday_values, context.history, query.filter, zone, now_s
        )
    older = ""
    if len(values["alerts"]) > ALERTS_PER_PAGE:
        values["alerts"] = values["alerts"][:ALERTS_PER_PAGE]
        last = values["alerts"][-1]
        cursor = {"after": f"{last['started_s']!r}_{last['episode']}"}
        older = urlencode({**query.fields, **cursor})
    return context.render(
        request, "history.html", fields=query.fields, spans={**SPANS, DATES: "Dates"},
        kinds=ALERT_LABELS, ends=ENDS, query=urlencode(query.fields), older=older,
        is_date_missing=_is_date_missing(request, query),
        is_first=query.after is None, ongoing=context.live_state.ongoing_alerts(), **values,
    )  # fmt: skip


async def export(request: Request) -> Response:
    """Return all alerts that match the filters as CSV; the page, which says so, without a date."""
    context, zone = page_context(request), display_times.request_zone(request)
    query = _parse_request(request, zone, time.time())
    if _is_date_missing(request, query):
        return RedirectResponse(f"/history?{request.url.query}", 303)
    return StreamingResponse(
        _csv_parts(context.history, query.filter),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="mask-patrol-alerts.csv"'},
    )


def _is_date_missing(request: Request, query: HistoryRequest) -> bool:
    """Return whether a period by dates was wanted, but no valid date was given."""
    return request.query_params.get("span") == DATES != query.fields["span"]


def _page_values(
    history: HistoryQueries,
    query: HistoryRequest,
    zone: tzinfo,
    device_name: Callable[[str], str],
) -> dict[str, Any]:
    """Return the values for the template, with one alert more than the page shows."""
    wanted = query.filter
    per_hour = history.count_per_hour(wanted)
    is_hourly = wanted.to_s - wanted.from_s <= MAX_HOURLY_DAYS * DAY_S
    if is_hourly:
        columns = _hourly_columns(per_hour, wanted, zone)
    else:
        columns = _daily_columns(_split_at_midnight(history, per_hour, wanted, zone), wanted, zone)
    unit = "hour" if is_hourly else "day"
    kinds = {label: LABELS[label] for label in ALERT_LABELS}
    per_device = [
        Column(device_name(name), "", counts)
        for name, counts in history.count_per_device(wanted, MAX_DEVICES)
    ]
    devices = sorted(name for name, _ in history.listed_devices())
    forgotten = history.retired_devices_with_alerts()
    has_several = len(devices) + len(forgotten) > 1
    return {
        "total": sum(count for _, _, count in per_hour),
        "over_time": column_chart(f"Alerts per {unit}", columns, kinds),
        "unit": unit,
        "by_device": bar_chart("Alerts by device", per_device, kinds)
        if per_device and has_several
        else "",
        "alerts": history.alert_page(wanted, ALERTS_PER_PAGE + 1, query.after),
        "devices": devices,
        "forgotten": forgotten,
        "gaps": history.gaps(wanted.device, wanted.from_s, MAX_GAPS),
    }


def _weekday_values(
    history: HistoryQueries, wanted: AlertFilter, zone: tzinfo, now_s: float
) -> dict[str, Any]:
    """Return the values for the heat map and for the comparison of two weeks."""
    period, weeks = whole_weeks(wanted)
    counts = count_weekday_hours(history, period, zone)
    compared = compare_weeks(history, wanted, zone, now_s)
    return {
        "weeks": weeks,
        "heat_map": heat_map(counts) if any(map(any, counts)) else "",
        "week_chart": week_chart(compared),
        "week_totals": compare_totals(compared),
    }


def _parse_request(request: Request, zone: tzinfo, now_s: float) -> HistoryRequest:
    """Return the query of the request; invalid values count as absent.

    A date that is given selects the period, whatever the field `span` says: somebody who picks a
    date means it.
    """
    given = request.query_params
    fields = {"span": given.get("span", DEFAULT_SPAN)}
    for name, is_valid in (
        ("device", lambda v: bool(DEVICE_NAME.fullmatch(v))),
        ("label", ALERT_LABELS.__contains__),
        ("ended", ENDS.__contains__),
    ):
        value = given.get(name, "")
        fields[name] = value if is_valid(value) else ""
    first, last = _parse_date(given.get("from", "")), _parse_date(given.get("to", ""))
    if first and last:
        first, last = min(first, last), max(first, last)
    if first or last:
        fields["span"] = DATES
        from_s, to_s = _between(first, last, zone, now_s)
    else:
        fields["span"] = fields["span"] if fields["span"] in SPANS else DEFAULT_SPAN
        from_s, to_s = now_s - float(fields["span"]) * DAY_S, now_s + MAX_CLOCK_AHEAD_S
    fields["from"] = first.isoformat() if first else ""
    fields["to"] = last.isoformat() if last else ""
    wanted = AlertFilter(from_s, to_s, fields["device"], fields["label"], fields["ended"])
    return HistoryRequest(wanted, fields, _parse_cursor(given.get("after", "")))


def _between(
    first: date | None, last: date | None, zone: tzinfo, now_s: float
) -> tuple[float, float]:
    """Return the times from the start of day `first` to the end of day `last`, in `zone`.

    At least one day must be given. Without `last` the period ends today; without `first`, and of a
    longer period, it has the last `MAX_DAYS` days.
    """
    today = local_time(now_s, zone).date()
    end = last or max(today, first or today)
    begin = max(first or date.min, end - timedelta(days=MAX_DAYS))
    from_s, to_s = (
        datetime.combine(day, datetime.min.time(), zone).timestamp()
        for day in (begin, end + timedelta(days=1))
    )
    return from_s, to_s


def _parse_date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1971 <= day.year <= 9000 else None


def _parse_cursor(text: str) -> PageCursor | None:
    """Return the start and the episode of the last alert of the previous page."""
    at, _, episode = text.partition("_")
    try:
        at_s = float(at)
    except ValueError:
        return None
    is_valid = EPISODE_ID.fullmatch(episode) and math.isfinite(at_s)
    return (at_s, episode) if is_valid else None


def _hourly_columns(
    per_hour: Sequence[tuple[int, str, int]], wanted: AlertFilter, zone: tzinfo
) -> list[Column]:
    counts: dict[int, dict[str, float]] = {}
    for hour, label, count in per_hour:
        counts.setdefault(hour, {})[label] = count
    first, last = int(wanted.from_s // HOUR_S), -int(-wanted.to_s // HOUR_S)
    columns, distance = [], display_times.hours_per_tick(last - first, MAX_TICKS)
    for hour in range(first, last):
        at = local_time(hour * HOUR_S, zone)
        tick = "" if at.hour % distance else f"{at:%H:%M}"
        columns.append(Column(f"{at:%a %d %b %H:%M}", tick, counts.get(hour, {})))
    return columns


def _split_at_midnight(
    history: HistoryQueries,
    per_hour: Sequence[tuple[int, str, int]],
    wanted: AlertFilter,
    zone: tzinfo,
) -> Counts:
    """Return the counts so that each belongs to a single day in `zone`.

    The hours of `per_hour` are those of UTC. In a zone where midnight is not at a whole hour of
    UTC, the hour that contains midnight is counted again in two parts.
    """
    busy_hours = {hour for hour, _, _ in per_hour}
    after_midnight = []
    for midnight in display_times.midnights(wanted.from_s, wanted.to_s, zone):
        at_s = midnight.timestamp()
        hour = int(at_s // HOUR_S)
        if at_s % HOUR_S and hour in busy_hours:
            span = (max(at_s, wanted.from_s), min((hour + 1.0) * HOUR_S, wanted.to_s))
            after_midnight.append(span)
    later = history.count_per_span(wanted, after_midnight)
    moved: Counter[tuple[int, str]] = Counter()
    for (at_s, label), count in later.items():
        moved[int(at_s // HOUR_S), label] += count
    return [
        *((hour * float(HOUR_S), label, n - moved[hour, label]) for hour, label, n in per_hour),
        *((at_s, label, count) for (at_s, label), count in later.items()),
    ]


def _daily_columns(counts: Counts, wanted: AlertFilter, zone: tzinfo) -> list[Column]:
    """Return one column per day, or per several days if there would be more than `MAX_COLUMNS`."""
    days = [at.date() for at in display_times.midnights(wanted.from_s, wanted.to_s, zone)]
    days_per_column = -(-len(days) // MAX_COLUMNS)
    first_days = {day: days[n - n % days_per_column] for n, day in enumerate(days)}
    parts: dict[date, Counter[str]] = {day: Counter() for day in days[::days_per_column]}
    for at_s, label, count in counts:
        day = first_days.get(local_time(at_s, zone).date(), days[0])
        parts[day][label] += count
    return [Column(f"{day:%a %d %b %Y}", f"{day:%d %b}", part) for day, part in parts.items()]


def _csv_parts(history: HistoryQueries, wanted: AlertFilter) -> Iterator[str]:
    """Yield the CSV file in parts of a few hundred lines."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for count, row in enumerate(history.iter_alerts(wanted), 1):
        writer.writerow(_csv_row(row))
        if count % 500 == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _csv_row(row: AlertRow) -> list[Any]:
    def time_of(name: str) -> str:
        return "" if row[name] is None else iso_utc(row[name])

    return [
        _spreadsheet_safe(row["device"]), _spreadsheet_safe(row["camera"]), row["label"],
        round(row["score"], 4), time_of("started_s"), time_of("ended_s"), row["ended_by"] or "",
        "" if row["duration_s"] is None else round(row["duration_s"], 3),
        row["clock_synced"], row["replayed"], time_of("acknowledged_s"),
        _spreadsheet_safe(row["episode"]), row["model"],
        _spreadsheet_safe(row["acknowledged_by"] or ""), _spreadsheet_safe(row["note"] or ""),
    ]  # fmt: skip


def _spreadsheet_safe(text: str) -> str:
    """Return `text` so that a spreadsheet does not take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


ROUTES = (Route("/history", history), Route("/history.csv", export))
