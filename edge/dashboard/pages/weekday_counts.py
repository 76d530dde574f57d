"""How many alerts began in each hour of the weekdays, and in this week and the last one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from edge.dashboard.base.local_time import local_time
from edge.dashboard.history.queries import QUARTER_S, AlertFilter, HistoryQueries
from edge.dashboard.history.store import HOUR_S

DAYS_PER_WEEK, HOURS_PER_DAY = 7, 24
WEEK_S = DAYS_PER_WEEK * HOURS_PER_DAY * float(HOUR_S)
#: A week in which the clocks are put forward is shorter by this.
SUMMER_TIME_S = float(HOUR_S)

#: The number of alerts of each hour of each weekday, Monday first.
WeekdayHours = list[list[int]]


@dataclass(frozen=True)
class WeekComparison:
    """The alerts of this week and of the last one, by day. Weeks begin on Monday.

    `this_week` has an entry for each day that has begun, and `last_week` for each of seven days.
    `last_week_so_far` are those of the last week until the same time of the same weekday as now.
    """

    this_week: tuple[int, ...]
    last_week: tuple[int, ...]
    last_week_so_far: int


def whole_weeks(wanted: AlertFilter) -> tuple[AlertFilter, int]:
    """Return the last whole weeks of the period, and their number.

    Every weekday then counts the same number of times. A period of less than a week is returned as
    it is, with 0.
    """
    weeks = int((wanted.to_s - wanted.from_s + SUMMER_TIME_S) // WEEK_S)
    if not weeks:
        return wanted, 0
    return replace(wanted, from_s=max(wanted.from_s, wanted.to_s - weeks * WEEK_S)), weeks


def count_weekday_hours(history: HistoryQueries, wanted: AlertFilter, zone: tzinfo) -> WeekdayHours:
    """Count the alerts by the weekday and the hour at which they began in `zone`."""
    counts = [[0] * HOURS_PER_DAY for _ in range(DAYS_PER_WEEK)]
    for at, count in _local_counts(history, wanted, zone):
        counts[at.weekday()][at.hour] += count
    return counts


def compare_weeks(
    history: HistoryQueries, wanted: AlertFilter, zone: tzinfo, now_s: float
) -> WeekComparison:
    """Count the alerts of this week and of the last one, with the device and label of `wanted`."""
    now = local_time(now_s, zone)
    monday = now.date() - timedelta(days=now.weekday())
    last_monday = monday - timedelta(days=DAYS_PER_WEEK)
    from_s = _midnight_s(last_monday, zone)
    per_day: Counter[date] = Counter()
    # An alert of a device whose clock is a little ahead belongs to today.
    both_weeks = replace(wanted, from_s=from_s, to_s=_midnight_s(now.date() + timedelta(1), zone))
    for at, count in _local_counts(history, both_weeks, zone):
        per_day[at.date()] += count
    same_moment = datetime.combine(now.date() - timedelta(DAYS_PER_WEEK), now.time(), zone)
    so_far = replace(wanted, from_s=from_s, to_s=max(from_s, same_moment.timestamp()))
    return WeekComparison(
        tuple(per_day[monday + timedelta(n)] for n in range(now.weekday() + 1)),
        tuple(per_day[last_monday + timedelta(n)] for n in range(DAYS_PER_WEEK)),
        sum(count for _, _, count in history.count_per_hour(so_far)),
    )


def _local_counts(
    history: HistoryQueries, wanted: AlertFilter, zone: tzinfo
) -> list[tuple[datetime, int]]:
    """Return the beginning of each hour with alerts in `zone`, and their number.

    The database keeps a count for each hour of UTC. Where the hours begin at other minutes, as in
    India, the alerts are counted by quarters of an hour: all time zones differ from UTC by a
    multiple of that.
    """
    per_hour = [
        (local_time(hour * float(HOUR_S), zone), count)
        for hour, _, count in history.count_per_hour(wanted)
    ]
    if not any(at.minute for at, _ in per_hour):
        return per_hour
    return [
        (local_time(quarter * QUARTER_S, zone), count)
        for quarter, count in history.count_per_quarter_hour(wanted)
    ]


def _midnight_s(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, datetime.min.time(), zone).timestamp()
