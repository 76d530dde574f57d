"""Reading the history: pages of alerts, counts for the charts, and figures over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from edge.dashboard.history.database import database_time_s
from edge.dashboard.history.store import HOUR_S, AlertRow
from edge.dashboard.history.tables import (
    alerts,
    daily,
    devices,
    figures,
    gaps,
    hourly,
    problems,
    totals,
)

#: How many rows an export fetches at a time.
EXPORT_CHUNK_ROWS = 2000
#: Every time zone differs from UTC by a multiple of this.
QUARTER_S = 900.0


@dataclass(frozen=True)
class AlertFilter:
    """Selects the alerts that began from `from_s` up to, but not including, `to_s`.

    Both are seconds since the epoch. An empty string in one of the other fields selects all;
    `open` in `ended_by` selects the alerts that have not ended.
    """

    from_s: float
    to_s: float
    device: str = ""
    label: str = ""
    ended_by: str = ""

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions for a query of `alerts`."""
        conditions = [alerts.c.started_s >= self.from_s, alerts.c.started_s < self.to_s]
        if self.device:
            conditions.append(alerts.c.device == self.device)
        if self.label:
            conditions.append(alerts.c.label == self.label)
        if self.ended_by == "open":
            conditions.append(alerts.c.ended_s.is_(None))
        elif self.ended_by:
            conditions.append(alerts.c.ended_by == self.ended_by)
        return conditions


#: The end of a page: `started_s` and `episode` of its last row.
PageCursor = tuple[float, str]


class HistoryQueries:
    """Queries of the database; may be used from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        """Read from an open database (`edge.dashboard.history.database.open_database`)."""
        self._engine = engine

    def newest_alerts(self, count: int) -> list[AlertRow]:
        """Return the newest alerts and the newest open alerts, at most `count` of each.

        Each of the two groups is sorted, newest first.
        """
        query = sa.select(alerts).order_by(alerts.c.started_s.desc(), alerts.c.episode.desc())
        still_open = query.where(alerts.c.ended_s.is_(None))
        found: dict[str, AlertRow] = {}
        with self._engine.connect() as db:
            for row in (*db.execute(query.limit(count)), *db.execute(still_open.limit(count))):
                found[row.episode] = dict(row._mapping)
        return list(found.values())

    def recently_updated_alerts(self, within_s: float, limit: int) -> list[AlertRow]:
        """Return the alerts that were changed in the last `within_s` seconds, at most `limit`.

        A change whose time is ahead was made before the clock was set back. Such a change may be
        recent, too; it is returned after the others.
        """
        now_s = database_time_s(self._engine)
        query = sa.select(alerts).where(alerts.c.updated_s >= now_s - within_s)
        query = query.order_by(alerts.c.updated_s > now_s, alerts.c.updated_s.desc())
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query.limit(limit))]

    def alert_page(
        self, wanted: AlertFilter, count: int, after: PageCursor | None = None
    ) -> list[AlertRow]:
        """Return at most `count` alerts, newest first; `after` is the end of the previous page."""
        query = sa.select(alerts).where(*wanted.conditions())
        if after is not None:
            position = sa.tuple_(alerts.c.started_s, alerts.c.episode)
            query = query.where(position < sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
        query = query.order_by(alerts.c.started_s.desc(), alerts.c.episode.desc())
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query.limit(count))]

    def iter_alerts(self, wanted: AlertFilter) -> Iterator[AlertRow]:
        """Yield all alerts, newest first, fetched in chunks so that memory stays bounded."""
        cursor: PageCursor | None = None
        while rows := self.alert_page(wanted, EXPORT_CHUNK_ROWS, cursor):
            yield from rows
            cursor = (rows[-1]["started_s"], rows[-1]["episode"])

    def count_per_hour(self, wanted: AlertFilter) -> list[tuple[int, str, int]]:
        """Count the alerts that began in each hour, by label.

        Return (hour since the epoch, label, count), sorted, without counts of 0.
        """
        table = hourly if wanted.device else totals
        first, last = _whole_hours(wanted)
        query = (
            sa.select(table.c.hour, table.c.label, sa.func.sum(table.c.alerts))
            .where(table.c.hour >= first, table.c.hour < last, *_conditions(table, wanted))
            .group_by(table.c.hour, table.c.label)
        )
        found: Counter[tuple[int, str]] = Counter()
        with self._engine.connect() as db:
            for hour, label, count in db.execute(query):
                found[int(hour), str(label)] += int(count)
            for at_s, label in self._alerts_in_partial_hours(db, wanted):
                found[int(at_s // HOUR_S), label] += 1
        return [(hour, label, count) for (hour, label), count in sorted(found.items())]

    def count_per_span(
        self, wanted: AlertFilter, spans: Sequence[tuple[float, float]]
    ) -> Counter[tuple[float, str]]:
        """Count the alerts that began in each of the spans, by the span's start and the label."""
        found: Counter[tuple[float, str]] = Counter()
        with self._engine.connect() as db:
            for from_s, to_s in spans:
                part = replace(wanted, from_s=from_s, to_s=to_s, ended_by="")
                query = sa.select(alerts.c.label, sa.func.count()).where(*part.conditions())
                for label, count in db.execute(query.group_by(alerts.c.label)):
                    found[from_s, str(label)] += int(count)
        return found

    def count_per_quarter_hour(self, wanted: AlertFilter) -> list[tuple[int, int]]:
        """Count the alerts that began in each quarter of an hour.

        Return (quarter of an hour since the epoch, count), sorted, without counts of 0. No table
        has these counts: every alert of the period is read, from an index if it contains all that
        `wanted` asks for.
        """
        quarter = sa.cast(sa.func.floor(alerts.c.started_s / QUARTER_S), sa.BigInteger)
        query = (
            sa.select(quarter, sa.func.count())
            .where(*replace(wanted, ended_by="").conditions())
            .group_by(quarter)
            .order_by(quarter)
        )
        with self._engine.connect() as db:
            return [(int(at), int(count)) for at, count in db.execute(query)]

    def count_per_device(self, wanted: AlertFilter, count: int) -> list[tuple[str, Counter[str]]]:
        """Return the `count` devices with the most alerts, and how many each has of each label."""
        first, last = _whole_hours(wanted)
        # The table `daily` covers the whole days, `hourly` the whole hours before and after them.
        first_day = -(-first // 24)
        last_day = max(first_day, last // 24)
        days = sa.select(daily.c.device, daily.c.label, daily.c.alerts).where(
            daily.c.day >= first_day, daily.c.day < last_day, *_conditions(daily, wanted)
        )
        edges = sa.select(hourly.c.device, hourly.c.label, hourly.c.alerts).where(
            hourly.c.hour >= first,
            hourly.c.hour < last,
            sa.or_(hourly.c.hour < first_day * 24, hourly.c.hour >= last_day * 24),
            *_conditions(hourly, wanted),
        )
        parts = [
            sa.select(alerts.c.device, alerts.c.label, sa.literal(1).label("alerts")).where(
                *edge.conditions()
            )
            for edge in _partial_hours(wanted)
        ]
        counts = sa.union_all(days, edges, *parts).subquery()
        query = sa.select(counts.c.device, counts.c.label, sa.func.sum(counts.c.alerts)).group_by(
            counts.c.device, counts.c.label
        )
        found: dict[str, Counter[str]] = {}
        with self._engine.connect() as db:
            for device, label, number in db.execute(query):
                found.setdefault(str(device), Counter())[str(label)] += int(number)
        return sorted(found.items(), key=lambda item: (-item[1].total(), item[0]))[:count]

    def _alerts_in_partial_hours(
        self, db: sa.Connection, wanted: AlertFilter
    ) -> Iterator[tuple[float, str]]:
        """Yield the time and label of each alert in the hours that are only partly in the span."""
        for edge in _partial_hours(wanted):
            query = sa.select(alerts.c.started_s, alerts.c.label).where(*edge.conditions())
            yield from ((float(at_s), str(label)) for at_s, label in db.execute(query))

    def listed_devices(self) -> list[tuple[str, float | None]]:
        """Return the devices that are not retired, oldest first, with the time of the last
        message of each.
        """
        query = sa.select(devices.c.device, devices.c.last_seen_s)
        query = query.where(devices.c.retired_s.is_(None)).order_by(
            sa.func.coalesce(devices.c.first_seen_s, 0.0), devices.c.device
        )
        with self._engine.connect() as db:
            return [(str(name), at_s) for name, at_s in db.execute(query)]

    def retired_devices(self) -> set[str]:
        """Return the retired devices."""
        query = sa.select(devices.c.device).where(devices.c.retired_s.is_not(None))
        with self._engine.connect() as db:
            return set(db.scalars(query))

    def retired_devices_with_alerts(self) -> list[str]:
        """Return the retired devices that still have alerts in the database, sorted by name."""
        has_alerts = sa.exists().where(alerts.c.device == devices.c.device)
        query = sa.select(devices.c.device).where(devices.c.retired_s.is_not(None), has_alerts)
        with self._engine.connect() as db:
            return sorted(db.scalars(query))

    def lost_events(self) -> dict[str, int]:
        """Return the number of lost events of each device that has lost any."""
        missing = gaps.c.last_seq - gaps.c.first_seq + 1
        query = sa.select(gaps.c.device, sa.func.sum(missing)).group_by(gaps.c.device)
        unlisted = sa.select(devices.c.device, devices.c.forgotten).where(devices.c.forgotten > 0)
        counts: dict[str, int] = {}
        with self._engine.connect() as db:
            for name, count in (*db.execute(query), *db.execute(unlisted)):
                counts[str(name)] = counts.get(str(name), 0) + int(count)
        return counts

    def gaps(self, device: str, from_s: float, limit: int) -> list[Mapping[str, Any]]:
        """Return the newest gaps noticed since `from_s`, of all devices if `device` is empty."""
        query = sa.select(gaps).where(gaps.c.noticed_s >= from_s)
        if device:
            query = query.where(gaps.c.device == device)
        query = query.order_by(gaps.c.noticed_s.desc(), gaps.c.first_seq.desc()).limit(limit)
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query)]

    def figures(self, device: str, from_s: float, bucket_s: float) -> list[Mapping[str, Any]]:
        """Return a device's figures since `from_s`: their means over each `bucket_s` seconds."""
        bucket = sa.cast(sa.func.floor(figures.c.at_s / bucket_s), sa.BigInteger)
        columns = [c for c in figures.c if c.name not in ("device", "at_s")]
        query = (
            sa.select(
                sa.func.min(figures.c.at_s).label("at_s"),
                *(sa.func.avg(c).label(c.name) for c in columns),
            )
            .where(figures.c.device == device, figures.c.at_s >= from_s)
            .group_by(bucket)
            .order_by(sa.literal_column("1"))
        )
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query)]

    def problems(self, device: str, limit: int) -> list[Mapping[str, Any]]:
        """Return the newest problems, of all devices if `device` is empty."""
        query = sa.select(problems)
        if device:
            query = query.where(problems.c.device == device)
        query = query.order_by(problems.c.at_s.desc(), problems.c.number.desc()).limit(limit)
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query)]


def _whole_hours(wanted: AlertFilter) -> tuple[int, int]:
    """Return the first hour that is completely in the span, and the hour after the last one."""
    first = -int(-wanted.from_s // HOUR_S)
    return first, max(first, int(wanted.to_s // HOUR_S))


def _partial_hours(wanted: AlertFilter) -> list[AlertFilter]:
    """Return the parts of the span before its first and after its last whole hour."""
    first, last = (hour * float(HOUR_S) for hour in _whole_hours(wanted))
    parts = ((wanted.from_s, min(first, wanted.to_s)), (max(last, wanted.from_s), wanted.to_s))
    return [
        replace(wanted, from_s=from_s, to_s=to_s, ended_by="")
        for from_s, to_s in parts
        if from_s < to_s
    ]


def _conditions(table: sa.Table, wanted: AlertFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.device:
        yield table.c.device == wanted.device
    if wanted.label:
        yield table.c.label == wanted.label
