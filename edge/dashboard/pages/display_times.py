"""Times as the person in front of the page reads them: in the zone of their browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

COOKIE = "mask_patrol_zone"
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,39}")


def zone_of(name: str | None) -> tzinfo:
    """The zone that the browser names; this machine's own when it names none that is known."""
    if name and ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            pass
    return datetime.now().astimezone().tzinfo or UTC


def shown(at_s: float | None, zone: tzinfo) -> str:
    """`2026-03-01 08:15:03`, or a dash."""
    if at_s is None:
        return "—"
    return moment(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")


def moment(at_s: float, zone: tzinfo) -> datetime:
    """`at_s` (seconds since the epoch) in `zone`; what no calendar holds becomes its edge."""
    return datetime.fromtimestamp(min(max(at_s, 0.0), 250_000_000_000.0), zone)


def duration(seconds: float | None) -> str:
    """`3 s`, `2 min 5 s`, `1 h 4 min`."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def midnights(from_s: float, to_s: float, zone: tzinfo) -> Iterator[datetime]:
    """The beginning of each day that the span touches, in `zone`."""
    day = moment(from_s, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() < to_s:
        yield day
        # A day has 23 or 25 hours now and then: go by the calendar, not by seconds.
        day = datetime.combine(day.date() + timedelta(days=1), datetime.min.time(), zone)
