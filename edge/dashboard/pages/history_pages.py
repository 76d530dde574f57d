"""The history: charts, table, CSV."""

from __future__ import annotations

import csv
import io
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edge.common.clock import iso_utc
from edge.dashboard.base.messages import MAX_CLOCK_AHEAD_S
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HOUR_S, AlertRow
from edge.dashboard.ingest.validation import DEVICE_NAME, EPISODE_ID
from edge.dashboard.pages import display_times
from edge.dashboard.pages.charts import Column, columns, rows
from edge.dashboard.pages.page_context import page_context

DAY_S = 86_400.0
SPANS = {"1": "24 hours", "7": "7 days", "30": "30 days", "365": "a year"}
LABELS, ENDS = ("no_mask", "incorrect_mask"), ("masked", "left", "shutdown", "open")
ON_PAGE, DEVICES_SHOWN, GAPS_SHOWN = 50, 10, 20
#: Of longer spans the last part is shown.
MAX_DAYS = 3660
#: Up to so many days are drawn by the hour.
HOURLY_DAYS = 3.0
#: More bars than that cannot be told apart.
MAX_BARS = 400
EXPORTED = (
    "device", "camera", "label", "score", "started", "ended", "ended_by", "duration_s",
    "clock_synced", "replayed", "acknowledged", "id", "model",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the address asks for; `fields` are the form's, as they were understood."""

    wanted: AlertFilter
    fields: Mapping[str, str]
    after: tuple[float, str] | None


async def history(request: Request) -> Response:
    """The page."""
    site, zone = (
        page_context(request),
        display_times.zone_of(request.cookies.get(display_times.COOKIE)),
    )
    asked = _asked(request, zone, time.time())
    found = await run_in_threadpool(_gather, site.history, asked, zone)
    later = ""
    if len(found["alerts"]) > ON_PAGE:
        found["alerts"] = found["alerts"][:ON_PAGE]
        last = found["alerts"][-1]
        mark = {"after": f"{last['started_s']!r}_{last['episode']}"}
        later = urlencode({**asked.fields, **mark})
    return site.page(
        request, "history.html", fields=asked.fields, spans=SPANS, kinds=LABELS, ends=ENDS,
        query=urlencode(asked.fields), later=later, first=asked.after is None, **found,
    )  # fmt: skip


async def export(request: Request) -> Response:
    """The same alerts as CSV, as many as there are."""
    site, zone = (
        page_context(request),
        display_times.zone_of(request.cookies.get(display_times.COOKIE)),
    )
    wanted = _asked(request, zone, time.time()).wanted
    return StreamingResponse(
        _csv(site.history, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="mask-patrol-alerts.csv"'},
    )


def _gather(history: HistoryQueries, asked: Asked, zone: tzinfo) -> dict[str, Any]:
    wanted = asked.wanted
    per_hour = history.count_per_hour(wanted)
    by_hour = wanted.to_s - wanted.from_s <= HOURLY_DAYS * DAY_S
    if by_hour:
        bars = _hours(per_hour, wanted, zone)
    else:
        bars = _days(_by_day(history, per_hour, wanted, zone), wanted, zone)
    per_device = history.count_per_device(wanted, DEVICES_SHOWN)
    return {
        "total": sum(count for _, _, count in per_hour),
        "over_time": columns(f"Alerts per {'hour' if by_hour else 'day'}", bars, LABELS),
        "unit": "hour" if by_hour else "day",
        "by_device": rows("Alerts by device", per_device, "no_mask") if per_device else "",
        "alerts": history.alert_page(wanted, ON_PAGE + 1, asked.after),
        "devices": sorted(name for name, _ in history.listed_devices()),
        "forgotten": history.retired_devices_with_alerts(),
        "gaps": history.gaps(wanted.device, wanted.from_s, GAPS_SHOWN),
    }


def _asked(request: Request, zone: tzinfo, now_s: float) -> Asked:
    """What is malformed counts as not asked for."""
    given = request.query_params
    span = given.get("span", "7")
    fields = {"span": span if span in SPANS or span == "dates" else "7"}
    for name, fine in (
        ("device", lambda v: bool(DEVICE_NAME.fullmatch(v))),
        ("label", LABELS.__contains__),
        ("ended", ENDS.__contains__),
    ):
        value = given.get(name, "")
        fields[name] = value if fine(value) else ""
    first, last = _day(given.get("from", "")), _day(given.get("to", ""))
    days = float(fields["span"]) if fields["span"] in SPANS else 7.0
    from_s, to_s = now_s - days * DAY_S, now_s + MAX_CLOCK_AHEAD_S
    if fields["span"] == "dates":
        first, last = first or last, last or first
        if first is None or last is None:
            fields["span"] = "7"
        else:
            first, last = min(first, last), max(first, last)
            first = max(first, last - timedelta(days=MAX_DAYS))
            from_s = datetime.combine(first, datetime.min.time(), zone).timestamp()
            after = last + timedelta(days=1)
            to_s = datetime.combine(after, datetime.min.time(), zone).timestamp()
    fields["from"] = first.isoformat() if first else ""
    fields["to"] = last.isoformat() if last else ""
    wanted = AlertFilter(from_s, to_s, fields["device"], fields["label"], fields["ended"])
    return Asked(wanted, fields, _mark(given.get("after", "")))


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1971 <= day.year <= 9000 else None


def _mark(text: str) -> tuple[float, str] | None:
    at, _, episode = text.partition("_")
    try:
        at_s = float(at)
    except ValueError:
        return None
    fine = EPISODE_ID.fullmatch(episode) and math.isfinite(at_s)
    return (at_s, episode) if fine else None


def _hours(
    per_hour: Sequence[tuple[int, str, int]], wanted: AlertFilter, zone: tzinfo
) -> list[Column]:
    counts: dict[int, dict[str, float]] = {}
    for hour, label, count in per_hour:
        counts.setdefault(hour, {})[label] = count
    first, last = int(wanted.from_s // HOUR_S), -int(-wanted.to_s // HOUR_S)
    bars = []
    for hour in range(first, last):
        at = display_times.moment(hour * HOUR_S, zone)
        bars.append(Column(f"{at:%a %d %b %H:%M}", f"{at:%H:%M}", counts.get(hour, {})))
    return bars


#: When (seconds since the epoch), label, how many.
Counts = Sequence[tuple[float, str, int]]


def _by_day(
    history: HistoryQueries,
    per_hour: Sequence[tuple[int, str, int]],
    wanted: AlertFilter,
    zone: tzinfo,
) -> Counts:
    """Counts that can be told to days: where midnight is not at a whole hour (of UTC), the hour
    that it falls into is parted."""
    busy = {hour for hour, _, _ in per_hour}
    parted = []
    for midnight in display_times.midnights(wanted.from_s, wanted.to_s, zone):
        at_s = midnight.timestamp()
        hour = int(at_s // HOUR_S)
        if at_s % HOUR_S and hour in busy:
            parted.append((max(at_s, wanted.from_s), min((hour + 1.0) * HOUR_S, wanted.to_s)))
    later = history.count_per_span(wanted, parted)
    moved: Counter[tuple[int, str]] = Counter()
    for (at_s, label), count in later.items():
        moved[int(at_s // HOUR_S), label] += count
    return [
        *((hour * float(HOUR_S), label, n - moved[hour, label]) for hour, label, n in per_hour),
        *((at_s, label, count) for (at_s, label), count in later.items()),
    ]


def _days(counted: Counts, wanted: AlertFilter, zone: tzinfo) -> list[Column]:
    days = [at.date() for at in display_times.midnights(wanted.from_s, wanted.to_s, zone)]
    step = -(-len(days) // MAX_BARS)
    firsts = {day: days[number - number % step] for number, day in enumerate(days)}
    counts: dict[date, Counter[str]] = {day: Counter() for day in days[::step]}
    for at_s, label, count in counted:
        day = firsts.get(display_times.moment(at_s, zone).date(), days[0])
        counts[day][label] += count
    return [Column(f"{day:%a %d %b %Y}", f"{day:%d %b}", parts) for day, parts in counts.items()]


def _csv(history: HistoryQueries, wanted: AlertFilter) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(EXPORTED)
    for count, row in enumerate(history.iter_alerts(wanted), 1):
        writer.writerow(_exported(row))
        if count % 500 == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _exported(row: AlertRow) -> list[Any]:
    def at(name: str) -> str:
        return "" if row[name] is None else iso_utc(row[name])

    return [
        _harmless(row["device"]), _harmless(row["camera"]), row["label"],
        round(row["score"], 4), at("started_s"), at("ended_s"), row["ended_by"] or "",
        "" if row["duration_s"] is None else round(row["duration_s"], 3),
        row["clock_synced"], row["replayed"], at("acknowledged_s"),
        _harmless(row["episode"]), row["model"],
    ]  # fmt: skip


def _harmless(name: str) -> str:
    """A spreadsheet would take a name that begins with a minus for a formula."""
    return f"'{name}" if name.startswith("-") else name
