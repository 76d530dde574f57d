"""Times and durations as text, in the time zone of the browser."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.requests import Request

from edge.dashboard.base.local_time import local_time

#: The cookie in which `times.js` sends the name of the browser's time zone.
ZONE_COOKIE = "mask_patrol_zone"
ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,39}")
#: A link to the file of the zone of this machine, on most systems.
LOCALTIME = Path("/etc/localtime")


def request_zone(request: Request) -> tzinfo:
    """Return the time zone of the browser that sent `request`."""
    return time_zone(request.cookies.get(ZONE_COOKIE))


def time_zone(name: str | None) -> tzinfo:
    """Return the time zone called `name`, or this machine's own if there is none."""
    if name and ZONE_NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            pass
    return _own_zone()


def _own_zone() -> tzinfo:
    """Return the zone of this machine: by its name if that is known, so that it has summer time."""
    if "TZ" not in os.environ:
        with contextlib.suppress(ValueError, OSError, KeyError):
            _, _, name = str(LOCALTIME.resolve(strict=True)).rpartition("/zoneinfo/")
            return ZoneInfo("UTC" if name == "Etc/UTC" else name)
    return datetime.now().astimezone().tzinfo or UTC


def format_time(at_s: float | None, zone: tzinfo) -> str:
    """Return a time such as `2026-03-01 08:15:03`, or a dash for None.

    The same as `formatTime` in times.js.
    """
    if at_s is None:
        return "—"
    return local_time(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")


def format_duration(seconds: float | None) -> str:
    """Return a duration such as `3 s`, `2 min 5 s` or `1 h 4 min`, or a dash for None.

    The same as `formatDuration` in times.js.
    """
    if seconds is None:
        return "—"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def hours_per_tick(hours: float, max_ticks: int) -> int:
    """Return the distance of labels on an axis of `hours`, of which there are at most `max_ticks`.

    It is the smallest number of hours that divides a day, and 24 if no smaller one is enough.
    """
    return next((step for step in (1, 2, 3, 4, 6, 8, 12) if hours / step < max_ticks), 24)


def round_times(from_s: float, to_s: float, zone: tzinfo, max_count: int) -> list[datetime]:
    """Return at most `max_count` times from `from_s` to `to_s`, at full hours or at midnight.

    They are spread evenly, and the hours are multiples of the distance, such as 04:00 and 08:00.
    """
    step = hours_per_tick((to_s - from_s) / 3600.0, max_count)
    times = [
        # Through the seconds, so that a time that daylight saving time skips becomes a real one.
        local_time(day.replace(hour=hour).timestamp(), zone)
        for day in midnights(from_s, to_s, zone)
        for hour in range(0, 24, step)
    ]
    within = [at for at in times if from_s <= at.timestamp() <= to_s]
    return within[:: max(1, -(-len(within) // max_count))]


def midnights(from_s: float, to_s: float, zone: tzinfo) -> Iterator[datetime]:
    """Yield the beginning of each day from `from_s` to `to_s` in `zone`, partial days included."""
    day = local_time(from_s, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() < to_s:
        yield day
        # Add a calendar day and not 24 hours, because a day may have 23 or 25 hours.
        day = datetime.combine(day.date() + timedelta(days=1), datetime.min.time(), zone)
