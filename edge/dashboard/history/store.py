"""Writing the history: events as they come, each once, in one transaction a batch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import chunks, lock_devices, upsert
from edge.dashboard.history.sequence_gaps import SequenceGaps
from edge.dashboard.history.tables import (
    alerts,
    daily,
    dashboards,
    devices,
    events,
    figures,
    gaps,
    hourly,
    totals,
    troubles,
)

HOUR_S = 3600

AlertRow = Mapping[str, Any]


@dataclass(frozen=True)
class WriteResult:
    """What a batch changed: alerts as they are now, and how many events each device lost."""

    alerts: Sequence[AlertRow]
    lost: Mapping[str, int]
    new: int


class HistoryStore:
    """The writing side; for one thread at a time."""

    def __init__(self, engine: sa.Engine, max_age_s: float = math.inf) -> None:
        """`engine` is an open database (see `edge.dashboard.history.database.open_database`).

        Rows older than `max_age_s` may have been deleted from it.
        """
        self._engine = engine
        self._max_age_s = max_age_s

    def write_events(self, batch: Sequence[EventMessage], now_s: float) -> WriteResult:
        """Commit a batch; what is known already by (id, event_type) changes nothing.

        Raises sqlalchemy.exc.SQLAlchemyError, and has then written nothing.
        """
        with self._engine.begin() as db:
            ledgers = self._ledgers(db, sorted({event.device for event in batch}), now_s)
            new = self._new(db, batch)
            self._merge(db, new, now_s)
            self._count(db, new)
            for event in new:
                is_old = event.at_s < now_s - self._max_age_s
                ledgers[event.device].see(event.seq, now_s, is_old)
            self._keep_ledgers(db, ledgers, {event.device for event in new}, now_s)
            episodes = sorted({event.episode for event in new})
            changed = [
                dict(row._mapping)
                for part in chunks(episodes)
                for row in db.execute(sa.select(alerts).where(alerts.c.episode.in_(part)))
            ]
        return WriteResult(
            changed, {name: ledger.lost for name, ledger in ledgers.items()}, len(new)
        )

    def acknowledge_alerts(self, episodes: Sequence[str], now_s: float) -> Sequence[AlertRow]:
        """Somebody has seen these alerts; gives them as they are now."""
        with self._engine.begin() as db:
            db.execute(
                sa.update(alerts)
                .where(alerts.c.episode.in_(episodes), alerts.c.acknowledged_s.is_(None))
                .values(acknowledged_s=now_s, updated_s=now_s)
            )
            found = db.execute(sa.select(alerts).where(alerts.c.episode.in_(episodes)))
            return [dict(row._mapping) for row in found]

    def add_figures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of the table `figures`."""
        if rows:
            with self._engine.begin() as db:
                db.execute(upsert(self._engine, figures).on_conflict_do_nothing(), list(rows))

    def add_troubles(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of the table `troubles`."""
        if rows:
            with self._engine.begin() as db:
                db.execute(sa.insert(troubles), list(rows))

    def update_last_seen(self, seen_s: Mapping[str, float]) -> None:
        """When each device was heard last."""
        if seen_s:
            insert = upsert(self._engine, devices)
            with self._engine.begin() as db:
                db.execute(
                    insert.on_conflict_do_update(
                        index_elements=["device"],
                        set_={"last_seen_s": insert.excluded.last_seen_s},
                    ),
                    [
                        {
                            "device": device,
                            "forgotten": 0,
                            "last_seen_s": at_s,
                            "first_seen_s": at_s,
                        }
                        for device, at_s in sorted(seen_s.items())
                    ],
                )

    def retire_devices(self, names: Sequence[str], now_s: float) -> None:
        """Stop listing these devices until `restore_devices`; keep only their alerts."""
        insert = upsert(self._engine, devices)
        # Numbers that were missing and come late after all are none of our business any more.
        told = {"forgotten": 0, "retired_s": now_s, "first_seq": devices.c.last_seq}
        with self._engine.begin() as db:
            db.execute(
                insert.on_conflict_do_update(index_elements=["device"], set_=told),
                [{"device": name, "forgotten": 0, "retired_s": now_s} for name in sorted(names)],
            )
            for table in (gaps, figures, troubles):
                for part in chunks(names):
                    db.execute(sa.delete(table).where(table.c.device.in_(part)))

    def restore_devices(self, names: Sequence[str], now_s: float) -> None:
        """These have spoken again, and are listed as who has just come."""
        if names:
            with self._engine.begin() as db:
                rows = lock_devices(db, names, devices.c.retired_s.is_not(None))
                for part in chunks([row.device for row in rows]):
                    those = sa.update(devices).where(devices.c.device.in_(part))
                    db.execute(those.values(retired_s=None, first_seen_s=now_s))

    def update_heartbeat(self, name: str, now_s: float) -> None:
        """The dashboard `name` is there."""
        insert = upsert(self._engine, dashboards).values(name=name, seen_s=now_s)
        told = {"seen_s": insert.excluded.seen_s}
        with self._engine.begin() as db:
            db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=told))

    def count_other_dashboards(self, name: str, since_s: float) -> int:
        """How many other dashboards were there since."""
        seen = sa.and_(dashboards.c.name != name, dashboards.c.seen_s >= since_s)
        query = sa.select(sa.func.count()).select_from(dashboards).where(seen)
        with self._engine.connect() as db:
            return db.scalar(query) or 0

    def _new(self, db: sa.Connection, batch: Sequence[EventMessage]) -> list[EventMessage]:
        """Those of `batch` that are not known yet, each once, in their order."""
        distinct = {(event.episode, event.event_type): event for event in reversed(batch)}
        added: set[tuple[str, str]] = set()
        # In one order, as two dashboards that write the same would wait for each other.
        for part in chunks(sorted(distinct)):
            rows = [
                {
                    "episode": key[0],
                    "event_type": key[1],
                    "device": distinct[key].device,
                    "seq": distinct[key].seq,
                    "received_s": distinct[key].received_s,
                }
                for key in part
            ]
            insert = upsert(self._engine, events).values(rows).on_conflict_do_nothing()
            added |= {
                (row.episode, row.event_type)
                for row in db.execute(insert.returning(events.c.episode, events.c.event_type))
            }
        new = []
        for event in batch:
            key = (event.episode, event.event_type)
            if key in added:
                added.remove(key)
                new.append(event)
        return new

    def _merge(self, db: sa.Connection, new: Sequence[EventMessage], now_s: float) -> None:
        insert = upsert(self._engine, alerts)
        told = insert.excluded
        starts = insert.on_conflict_do_update(
            index_elements=["episode"],
            set_={
                name: told[name]
                for name in ("label", "score", "readings", "started_s", "replayed", "updated_s")
            },
        )
        ends = insert.on_conflict_do_update(
            index_elements=["episode"],
            set_={name: told[name] for name in ("ended_s", "ended_by", "duration_s", "updated_s")},
        )
        for statement, kind in ((starts, "no_mask_start"), (ends, "no_mask_end")):
            rows = [_alert_row(event, now_s) for event in new if event.event_type == kind]
            if rows:
                db.execute(statement, rows)

    def _count(self, db: sa.Connection, new: Iterable[EventMessage]) -> None:
        starts = [event for event in new if event.event_type == "no_mask_start"]
        hours = [(int(event.at_s // HOUR_S), event.device, event.label) for event in starts]
        self._add(db, hourly, ("hour", "device", "label"), Counter(hours))
        days = Counter((hour // 24, device, label) for hour, device, label in hours)
        self._add(db, daily, ("day", "device", "label"), days)
        self._add(db, totals, ("hour", "label"), Counter((hour, lb) for hour, _, lb in hours))

    def _add(
        self, db: sa.Connection, table: sa.Table, keys: Sequence[str], counts: Counter[Any]
    ) -> None:
        """Add to the counts in `table`; in one order, lest two dashboards wait for each other."""
        if not counts:
            return
        insert = upsert(self._engine, table)
        db.execute(
            insert.on_conflict_do_update(
                index_elements=list(keys),
                set_={"alerts": table.c.alerts + insert.excluded.alerts},
            ),
            [
                {**dict(zip(keys, key, strict=True)), "alerts": count}
                for key, count in sorted(counts.items())
            ],
        )

    def _ledgers(
        self, db: sa.Connection, names: Sequence[str], now_s: float
    ) -> dict[str, SequenceGaps]:
        """What is known of the numbers of these devices; nobody else may change it meanwhile."""
        if not names:
            return {}
        insert = upsert(self._engine, devices)
        # What is there is written to as well, and so is locked: it must not be deleted meanwhile.
        same = {"forgotten": devices.c.forgotten}
        db.execute(
            insert.on_conflict_do_update(index_elements=["device"], set_=same),
            [{"device": name, "forgotten": 0, "first_seen_s": now_s} for name in names],
        )
        ledgers = {
            row.device: SequenceGaps(row.first_seq, row.last_seq, forgotten=row.forgotten or 0)
            for row in lock_devices(db, names)
        }
        for part in chunks(names):
            for row in db.execute(sa.select(gaps).where(gaps.c.device.in_(part))):
                ledgers[row.device].gaps[row.first_seq] = (row.last_seq, row.noticed_s)
        return ledgers

    def _keep_ledgers(
        self,
        db: sa.Connection,
        ledgers: Mapping[str, SequenceGaps],
        changed: Iterable[str],
        now_s: float,
    ) -> None:
        for name in sorted(changed):
            ledger = ledgers[name]
            db.execute(
                sa.update(devices)
                .where(devices.c.device == name)
                .values(
                    first_seq=ledger.first,
                    last_seq=ledger.last,
                    forgotten=ledger.forgotten,
                    last_seen_s=now_s,
                )
            )
            db.execute(sa.delete(gaps).where(gaps.c.device == name))
            if ledger.gaps:
                rows = [
                    {"device": name, "first_seq": first, "last_seq": last, "noticed_s": at_s}
                    for first, (last, at_s) in ledger.gaps.items()
                ]
                db.execute(sa.insert(gaps), rows)


def _alert_row(event: EventMessage, now_s: float) -> dict[str, Any]:
    ended = event.event_type == "no_mask_end"
    return {
        "episode": event.episode,
        "device": event.device,
        "camera": event.camera,
        "label": event.label,
        "score": event.score,
        "readings": event.readings,
        "started_s": event.at_s - (event.duration_s or 0.0) if ended else event.at_s,
        "ended_s": event.at_s if ended else None,
        "ended_by": event.ended_by,
        "duration_s": event.duration_s,
        "clock_synced": event.clock_synced,
        "replayed": event.replayed,
        "model": event.model,
        "acknowledged_s": None,
        "updated_s": now_s,
    }
