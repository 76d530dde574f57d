"""Reading the history: pages of it, counts for the charts, figures over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from edge.dashboard.history.store import HOUR_S, AlertRow
from edge.dashboard.history.tables import (
    alerts,
    daily,
    devices,
    figures,
    gaps,
    hourly,
    totals,
    troubles,
)

#: Rows that are fetched at once for an export.
EXPORT_CHUNK_ROWS = 2000


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts: from `from_s` up to `to_s` (seconds since the epoch), and of what."""

    from_s: float
    to_s: float
    device: str = ""
    label: str = ""
    ended_by: str = ""

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """For a query of `alerts`."""
        found = [alerts.c.started_s >= self.from_s, alerts.c.started_s < self.to_s]
        if self.device:
            found.append(alerts.c.device == self.device)
        if self.label:
            found.append(alerts.c.label == self.label)
        if self.ended_by == "open":
            found.append(alerts.c.ended_s.is_(None))
        elif self.ended_by:
            found.append(alerts.c.ended_by == self.ended_by)
        return found


#: Where a page ends: `started_s` and `episode` of its last row.
PageCursor = tuple[float, str]


class HistoryQueries:
    """The reading side; from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        """`engine` is an open database (`edge.dashboard.history.database.open_database`)."""
        self._engine = engine

    def newest_alerts(self, count: int) -> list[AlertRow]:
        """The alerts that began last, and those that have not ended, newest first."""
        query = sa.select(alerts).order_by(alerts.c.started_s.desc(), alerts.c.episode.desc())
        running = query.where(alerts.c.ended_s.is_(None))
        found: dict[str, AlertRow] = {}
        with self._engine.connect() as db:
            for row in (*db.execute(query.limit(count)), *db.execute(running.limit(count))):
                found[row.episode] = dict(row._mapping)
        return list(found.values())

    def alerts_updated_since(self, at_s: float, limit: int) -> list[AlertRow]:
        """Alerts that anybody changed since."""
        query = sa.select(alerts).where(alerts.c.updated_s >= at_s)
        with self._engine.connect() as db:
            rows = db.execute(query.order_by(alerts.c.updated_s.desc()).limit(limit))
            return [dict(row._mapping) for row in rows]

    def alert_page(
        self, wanted: AlertFilter, count: int, after: PageCursor | None = None
    ) -> list[AlertRow]:
        """At most `count` alerts, newest first, that come after the mark."""
        query = sa.select(alerts).where(*wanted.conditions())
        if after is not None:
            at = sa.tuple_(alerts.c.started_s, alerts.c.episode)
            query = query.where(at < sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
        query = query.order_by(alerts.c.started_s.desc(), alerts.c.episode.desc())
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query.limit(count))]

    def iter_alerts(self, wanted: AlertFilter) -> Iterator[AlertRow]:
        """All of them, fetched in chunks, so that memory does not grow with their number."""
        mark: PageCursor | None = None
        while rows := self.alert_page(wanted, EXPORT_CHUNK_ROWS, mark):
            yield from rows
            mark = (rows[-1]["started_s"], rows[-1]["episode"])

    def count_per_hour(self, wanted: AlertFilter) -> list[tuple[int, str, int]]:
        """Hour (since the epoch), label, and how many alerts of the span began in it."""
        table = hourly if wanted.device else totals
        first, last = _whole_hours(wanted)
        query = (
            sa.select(table.c.hour, table.c.label, sa.func.sum(table.c.alerts))
            .where(table.c.hour >= first, table.c.hour < last, *_those(table, wanted))
            .group_by(table.c.hour, table.c.label)
        )
        found: Counter[tuple[int, str]] = Counter()
        with self._engine.connect() as db:
            for hour, label, count in db.execute(query):
                found[int(hour), str(label)] += int(count)
            for at_s, label in self._at_the_edges(db, wanted):
                found[int(at_s // HOUR_S), label] += 1
        return [(hour, label, count) for (hour, label), count in sorted(found.items())]

    def count_per_span(
        self, wanted: AlertFilter, spans: Sequence[tuple[float, float]]
    ) -> Counter[tuple[float, str]]:
        """How many alerts began in each of these spans, by its beginning and label."""
        found: Counter[tuple[float, str]] = Counter()
        with self._engine.connect() as db:
            for from_s, to_s in spans:
                part = replace(wanted, from_s=from_s, to_s=to_s, ended_by="")
                query = sa.select(alerts.c.label, sa.func.count()).where(*part.conditions())
                for label, count in db.execute(query.group_by(alerts.c.label)):
                    found[from_s, str(label)] += int(count)
        return found

    def count_per_device(self, wanted: AlertFilter, count: int) -> list[tuple[str, int]]:
        """The devices with most alerts, and how many of the span."""
        first, last = _whole_hours(wanted)
        # Whole days in the middle, hours before and after them.
        first_day = -(-first // 24)
        last_day = max(first_day, last // 24)
        days = sa.select(daily.c.device, daily.c.alerts).where(
            daily.c.day >= first_day, daily.c.day < last_day, *_those(daily, wanted)
        )
        edges = sa.select(hourly.c.device, hourly.c.alerts).where(
            hourly.c.hour >= first,
            hourly.c.hour < last,
            sa.or_(hourly.c.hour < first_day * 24, hourly.c.hour >= last_day * 24),
            *_those(hourly, wanted),
        )
        parts = [
            sa.select(alerts.c.device, sa.literal(1).label("alerts")).where(*edge.conditions())
            for edge in _edges(wanted)
        ]
        both = sa.union_all(days, edges, *parts).subquery()
        total = sa.func.sum(both.c.alerts)
        query = (
            sa.select(both.c.device, total)
            .group_by(both.c.device)
            .order_by(total.desc(), both.c.device)
            .limit(count)
        )
        with self._engine.connect() as db:
            return [(str(device), int(n)) for device, n in db.execute(query)]

    def _at_the_edges(self, db: sa.Connection, wanted: AlertFilter) -> Iterator[tuple[float, str]]:
        """Time and label of the alerts in those hours that the span has only a part of."""
        for edge in _edges(wanted):
            query = sa.select(alerts.c.started_s, alerts.c.label).where(*edge.conditions())
            yield from ((float(at_s), str(label)) for at_s, label in db.execute(query))

    def known_devices(self) -> list[tuple[str, float | None]]:
        """Every device that was ever heard, and when last."""
        query = sa.select(devices.c.device, devices.c.last_seen_s).order_by(devices.c.device)
        with self._engine.connect() as db:
            return [(str(name), at_s) for name, at_s in db.execute(query)]

    def listed_devices(self) -> list[tuple[str, float | None]]:
        """The same of those that are not retired, in the order in which they came."""
        query = sa.select(devices.c.device, devices.c.last_seen_s)
        query = query.where(devices.c.retired_s.is_(None)).order_by(
            sa.func.coalesce(devices.c.first_seen_s, 0.0), devices.c.device
        )
        with self._engine.connect() as db:
            return [(str(name), at_s) for name, at_s in db.execute(query)]

    def retired_devices(self) -> set[str]:
        """Devices that are listed no more, as they have not spoken since."""
        query = sa.select(devices.c.device).where(devices.c.retired_s.is_not(None))
        with self._engine.connect() as db:
            return set(db.scalars(query))

    def retired_devices_with_alerts(self) -> list[str]:
        """Devices that are retired and have left alerts, by name."""
        theirs = sa.exists().where(alerts.c.device == devices.c.device)
        query = sa.select(devices.c.device).where(devices.c.retired_s.is_not(None), theirs)
        with self._engine.connect() as db:
            return sorted(db.scalars(query))

    def lost_events(self) -> dict[str, int]:
        """How many events of each device never came; those without a loss are left out."""
        missing = gaps.c.last_seq - gaps.c.first_seq + 1
        query = sa.select(gaps.c.device, sa.func.sum(missing)).group_by(gaps.c.device)
        old = sa.select(devices.c.device, devices.c.forgotten).where(devices.c.forgotten > 0)
        counts: dict[str, int] = {}
        with self._engine.connect() as db:
            for name, count in (*db.execute(query), *db.execute(old)):
                counts[str(name)] = counts.get(str(name), 0) + int(count)
        return counts

    def gaps(self, device: str, from_s: float, limit: int) -> list[Mapping[str, Any]]:
        """Missing numbers noticed since `from_s`, newest first; `device` empty: of all."""
        query = sa.select(gaps).where(gaps.c.noticed_s >= from_s)
        if device:
            query = query.where(gaps.c.device == device)
        query = query.order_by(gaps.c.noticed_s.desc(), gaps.c.first_seq.desc()).limit(limit)
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query)]

    def figures(self, device: str, from_s: float, bucket_s: float) -> list[Mapping[str, Any]]:
        """The figures of a device since, one row (means) for each `bucket_s` seconds."""
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

    def troubles(self, device: str, limit: int) -> list[Mapping[str, Any]]:
        """What went wrong last; `device` empty: with any."""
        query = sa.select(troubles)
        if device:
            query = query.where(troubles.c.device == device)
        query = query.order_by(troubles.c.at_s.desc(), troubles.c.number.desc()).limit(limit)
        with self._engine.connect() as db:
            return [dict(row._mapping) for row in db.execute(query)]


def _whole_hours(wanted: AlertFilter) -> tuple[int, int]:
    """The hours that lie in the span: the first, and the one after the last."""
    first = -int(-wanted.from_s // HOUR_S)
    return first, max(first, int(wanted.to_s // HOUR_S))


def _edges(wanted: AlertFilter) -> list[AlertFilter]:
    """What the span has before its first whole hour, and after the last."""
    first, last = (hour * float(HOUR_S) for hour in _whole_hours(wanted))
    ends = ((wanted.from_s, min(first, wanted.to_s)), (max(last, wanted.from_s), wanted.to_s))
    return [
        replace(wanted, from_s=from_s, to_s=to_s, ended_by="")
        for from_s, to_s in ends
        if from_s < to_s
    ]


def _those(table: sa.Table, wanted: AlertFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.device:
        yield table.c.device == wanted.device
    if wanted.label:
        yield table.c.label == wanted.label
