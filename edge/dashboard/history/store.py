"""Writing the history: each event once, and each batch of events in one transaction."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import chunks, database_time_s, lock_devices, upsert
from edge.dashboard.history.sequence_gaps import SequenceGaps
from edge.dashboard.history.tables import (
    alerts,
    daily,
    dashboards,
    device_faults,
    devices,
    events,
    figures,
    gaps,
    hourly,
    notifications,
    problems,
    totals,
)

HOUR_S = 3600

AlertRow = Mapping[str, Any]


@dataclass(frozen=True)
class WriteResult:
    """The result of a batch."""

    #: The present rows of the alerts that the batch changed.
    alerts: Sequence[AlertRow]
    #: How many events each device of the batch has lost.
    lost: Mapping[str, int]
    #: How many events of the batch were not in the database before.
    new: int


class HistoryStore:
    """Changes to the database; may be used from any thread."""

    def __init__(
        self,
        engine: sa.Engine,
        max_age_s: float = math.inf,
        on_new: Callable[[sa.Connection, Sequence[EventMessage]], None] = lambda db, new: None,
    ) -> None:
        """Write to an open database (see `edge.dashboard.history.database.open_database`).

        `max_age_s`: rows older than this may have been deleted from the database. `on_new` is
        called with the events that were not in the database before, in the transaction that writes
        them.
        """
        self._engine = engine
        self._max_age_s = max_age_s
        self._on_new = on_new
        #: Held from a change of alerts until the pages have its rows. Otherwise the rows of an
        #: earlier change could reach the pages last, and stay there: an acknowledgement that is
        #: stored while the alert ends would hide the end.
        self.show_lock = threading.Lock()

    def write_events(self, batch: Sequence[EventMessage], now_s: float) -> WriteResult:
        """Commit a batch; an event whose (id, event_type) is in the database changes nothing.

        Raises sqlalchemy.exc.SQLAlchemyError; in that case nothing was written.
        """
        with self._engine.begin() as db:
            gaps_of = self._lock_gaps(db, sorted({event.device for event in batch}), now_s)
            new = self._insert_new(db, batch)
            self._upsert_alerts(db, new)
            self._update_counts(db, new)
            for event in new:
                is_old = event.at_s < now_s - self._max_age_s
                gaps_of[event.device].add(event.seq, now_s, is_old)
            self._save_gaps(db, gaps_of, {event.device for event in new}, now_s)
            if new:
                self._on_new(db, new)
            episodes = sorted({event.episode for event in new})
            changed = [
                dict(row._mapping)
                for part in chunks(episodes)
                for row in db.execute(sa.select(alerts).where(alerts.c.episode.in_(part)))
            ]
        return WriteResult(changed, {name: found.lost for name, found in gaps_of.items()}, len(new))

    def acknowledge_alerts(
        self, episodes: Sequence[str], now_s: float, name: str = ""
    ) -> Sequence[AlertRow]:
        """Mark alerts as seen by the user `name`; return their present rows.

        Alerts that were acknowledged before keep their first acknowledgement.
        """
        is_new = alerts.c.acknowledged_s.is_(None)
        values = {"acknowledged_s": now_s, "acknowledged_by": name or None}
        return self._update_alerts(episodes, is_new, values)

    def undo_acknowledgement(
        self, episodes: Sequence[str], acknowledged_s: float
    ) -> Sequence[AlertRow]:
        """Take back the acknowledgement that was made at `acknowledged_s`; return the present rows.

        Of alerts that somebody else acknowledged, at another time, nothing changes.
        """
        is_own = alerts.c.acknowledged_s == acknowledged_s
        values = {"acknowledged_s": None, "acknowledged_by": None, "note": None}
        return self._update_alerts(episodes, is_own, values)

    def set_note(self, episodes: Sequence[str], note: str) -> Sequence[AlertRow]:
        """Set or delete the note of acknowledged alerts; return their present rows."""
        is_acknowledged = alerts.c.acknowledged_s.is_not(None)
        return self._update_alerts(episodes, is_acknowledged, {"note": note or None})

    def _update_alerts(
        self,
        episodes: Sequence[str],
        condition: sa.ColumnElement[bool],
        values: Mapping[str, Any],
    ) -> Sequence[AlertRow]:
        """Set `values` where `condition` holds; return the rows of all `episodes`."""
        with self._engine.begin() as db:
            db.execute(
                sa.update(alerts)
                .where(alerts.c.episode.in_(episodes), condition)
                .values(**values, updated_s=database_time_s(self._engine))
            )
            found = db.execute(sa.select(alerts).where(alerts.c.episode.in_(episodes)))
            return [dict(row._mapping) for row in found]

    def add_figures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to the table `figures`, except those that are there already."""
        if rows:
            with self._engine.begin() as db:
                db.execute(upsert(self._engine, figures).on_conflict_do_nothing(), list(rows))

    def add_problems(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to the table `troubles`."""
        if rows:
            with self._engine.begin() as db:
                db.execute(sa.insert(problems), list(rows))

    def update_last_seen(self, seen_s: Mapping[str, float]) -> None:
        """Set the time of the last message of each device."""
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
        """Take devices off the list until `restore_devices`, and delete all but their alerts.

        Messages about their faults that are not due yet are not sent.
        """
        insert = upsert(self._engine, devices)
        # The gaps are deleted. `first_seq` is set to the highest sequence number so far, so that
        # lower numbers that still arrive are ignored (see SequenceGaps).
        values = {"forgotten": 0, "retired_s": now_s, "first_seq": devices.c.last_seq}
        with self._engine.begin() as db:
            db.execute(
                insert.on_conflict_do_update(index_elements=["device"], set_=values),
                [{"device": name, "forgotten": 0, "retired_s": now_s} for name in sorted(names)],
            )
            for table in (gaps, figures, problems, device_faults):
                for part in chunks(names):
                    db.execute(sa.delete(table).where(table.c.device.in_(part)))
        # Not in the same transaction: FaultWatch locks the faults before the notifications.
        waiting = (notifications.c.state == "waiting", notifications.c.topic != "alert")
        with self._engine.begin() as db:
            for part in chunks(names):
                of_devices = notifications.c.device.in_(part)
                db.execute(sa.delete(notifications).where(*waiting, of_devices))

    def restore_devices(self, names: Sequence[str], now_s: float) -> None:
        """List retired devices again, as the newest ones."""
        if names:
            with self._engine.begin() as db:
                rows = lock_devices(db, names, devices.c.retired_s.is_not(None))
                for part in chunks([row.device for row in rows]):
                    update = sa.update(devices).where(devices.c.device.in_(part))
                    db.execute(update.values(retired_s=None, first_seen_s=now_s))

    def update_heartbeat(self, name: str) -> None:
        """Record that the dashboard `name` is running."""
        seen_s = database_time_s(self._engine)
        insert = upsert(self._engine, dashboards).values(name=name, seen_s=seen_s)
        values = {"seen_s": insert.excluded.seen_s}
        with self._engine.begin() as db:
            db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))

    def count_other_dashboards(self, name: str, within_s: float) -> int:
        """Return how many other dashboards have been running in the last `within_s` seconds."""
        now_s = database_time_s(self._engine)
        # A time that is ahead was written before the clock was set back.
        recent = dashboards.c.seen_s.between(now_s - within_s, now_s)
        query = sa.select(sa.func.count()).where(dashboards.c.name != name, recent)
        with self._engine.connect() as db:
            return db.scalar(query) or 0

    def _insert_new(self, db: sa.Connection, batch: Sequence[EventMessage]) -> list[EventMessage]:
        """Insert the events; return those that were not in the database, each once, in order."""
        distinct = {(event.episode, event.event_type): event for event in reversed(batch)}
        added: set[tuple[str, str]] = set()
        # Sorted, because two dashboards that insert the same events could deadlock otherwise.
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

    def _upsert_alerts(self, db: sa.Connection, new: Sequence[EventMessage]) -> None:
        insert = upsert(self._engine, alerts).values(updated_s=database_time_s(self._engine))
        given = insert.excluded
        starts = insert.on_conflict_do_update(
            index_elements=["episode"],
            set_={
                name: given[name]
                for name in ("label", "score", "readings", "started_s", "replayed", "updated_s")
            },
        )
        ends = insert.on_conflict_do_update(
            index_elements=["episode"],
            set_={name: given[name] for name in ("ended_s", "ended_by", "duration_s", "updated_s")},
        )
        for statement, kind in ((starts, "no_mask_start"), (ends, "no_mask_end")):
            rows = [_alert_row(event) for event in new if event.event_type == kind]
            if rows:
                db.execute(statement, rows)

    def _update_counts(self, db: sa.Connection, new: Iterable[EventMessage]) -> None:
        starts = [event for event in new if event.event_type == "no_mask_start"]
        hours = [(int(event.at_s // HOUR_S), event.device, event.label) for event in starts]
        self._increment(db, hourly, ("hour", "device", "label"), Counter(hours))
        days = Counter((hour // 24, device, label) for hour, device, label in hours)
        self._increment(db, daily, ("day", "device", "label"), days)
        self._increment(db, totals, ("hour", "label"), Counter((hour, lb) for hour, _, lb in hours))

    def _increment(
        self, db: sa.Connection, table: sa.Table, keys: Sequence[str], counts: Counter[Any]
    ) -> None:
        """Add `counts` to `table`, sorted so that two dashboards cannot deadlock."""
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

    def _lock_gaps(
        self, db: sa.Connection, names: Sequence[str], now_s: float
    ) -> dict[str, SequenceGaps]:
        """Return the gaps of these devices, locked until the transaction ends."""
        if not names:
            return {}
        insert = upsert(self._engine, devices)
        # Existing rows are updated without a change, which locks them: `delete_expired` must not
        # delete them before the transaction ends.
        unchanged = {"forgotten": devices.c.forgotten}
        db.execute(
            insert.on_conflict_do_update(index_elements=["device"], set_=unchanged),
            [{"device": name, "forgotten": 0, "first_seen_s": now_s} for name in names],
        )
        gaps_of = {
            row.device: SequenceGaps(row.first_seq, row.last_seq, forgotten=row.forgotten or 0)
            for row in lock_devices(db, names)
        }
        for part in chunks(names):
            for row in db.execute(sa.select(gaps).where(gaps.c.device.in_(part))):
                gaps_of[row.device].gaps[row.first_seq] = (row.last_seq, row.noticed_s)
        return gaps_of

    def _save_gaps(
        self,
        db: sa.Connection,
        gaps_of: Mapping[str, SequenceGaps],
        changed: Iterable[str],
        now_s: float,
    ) -> None:
        for name in sorted(changed):
            found = gaps_of[name]
            db.execute(
                sa.update(devices)
                .where(devices.c.device == name)
                .values(
                    first_seq=found.first,
                    last_seq=found.last,
                    forgotten=found.forgotten,
                    last_seen_s=now_s,
                )
            )
            db.execute(sa.delete(gaps).where(gaps.c.device == name))
            if found.gaps:
                rows = [
                    {"device": name, "first_seq": first, "last_seq": last, "noticed_s": at_s}
                    for first, (last, at_s) in found.gaps.items()
                ]
                db.execute(sa.insert(gaps), rows)


def _alert_row(event: EventMessage) -> dict[str, Any]:
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
    }
