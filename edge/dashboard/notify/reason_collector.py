"""Turning the due reasons of a rule into notifications for its targets: cooldown and digest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from edge.config.hours import Hours
from edge.dashboard.history.database import database_time_s, upsert
from edge.dashboard.history.tables import notification_cooldowns, notifications
from edge.dashboard.notify.message_text import label_text
from edge.dashboard.notify.notification_queue import MAX_DELAY_S, is_past
from edge.dashboard.notify.rule_matching import is_within

#: The key of PostgreSQL's advisory lock; no other program is likely to use it.
QUEUE_LOCK = int.from_bytes(b"maskqueu", "big")
#: How many reasons one transaction takes; new events wait until it ends.
MAX_TAKEN = 500
#: How long a dashboard that has just started keeps the faults that it finds in the queue. They may
#: have ended while it did not run, which it learns when the devices, which may start at the same
#: time, have connected to the broker.
HOLD_FAULTS_S = 120.0


@dataclass(frozen=True)
class CollectedRule:
    """How the due reasons of the rule `name` become notifications; times in seconds."""

    name: str
    cooldown_s: float = 0.0
    digest_s: float = 0.0
    lasts_s: float = 3600.0
    #: Faults wait for these hours; the time of an alert is compared with them when it is added.
    hours: Hours = field(default_factory=Hours)


class ReasonCollector:
    """Collects reasons; methods raise sqlalchemy.exc.SQLAlchemyError."""

    def __init__(
        self,
        engine: sa.Engine,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        hold_faults_s: float = 0.0,
    ) -> None:
        """Use the tables of an open database.

        `clock` gives seconds since the epoch, `ticks` those of a monotonic clock. For
        `hold_faults_s`, the faults that are in the queue already are not collected.
        """
        self._engine = engine
        self._clock, self._ticks = clock, ticks
        self._now_s = database_time_s(engine)
        self._held_until_s = ticks() + hold_faults_s
        self._last_held: int | None = None

    def collect(self, rule: CollectedRule, targets: Sequence[str]) -> bool:
        """Replace due reasons of a rule by notifications for each of its targets.

        Return whether there may be more of them: one transaction takes a limited number.
        """
        with self._engine.connect() as db:  # without the lock, for which new events would wait
            if not self._has_work(db, rule):
                return False
        with self._engine.connect() as db:
            self._lock(db)
            taken = self._take(db, rule)
            found = taken + self._take_digests(db, rule)
            reasons = [row for row in found if self._passes_cooldown(db, rule, row)]
            rows = [{**row, "target": target} for row in reasons for target in targets]
            if rows:
                insert = upsert(self._engine, notifications).values(
                    state="queued", leased_until_s=0.0, attempts=0, error=""
                )
                db.execute(insert.on_conflict_do_nothing(), rows)
            db.commit()
        return len(taken) == MAX_TAKEN

    def _lock(self, db: sa.Connection) -> None:
        """Begin a transaction during which no other dashboard collects reasons."""
        if db.dialect.name == "postgresql":
            db.execute(sa.select(sa.func.pg_advisory_xact_lock(QUEUE_LOCK)))
        else:
            db.exec_driver_sql("BEGIN IMMEDIATE")

    def _has_work(self, db: sa.Connection, rule: CollectedRule) -> bool:
        return any(
            db.scalar(sa.select(notifications.c.number).where(*conditions).limit(1)) is not None
            for conditions in (self._due_now(rule), self._due_in_digest(rule))
        )

    def _due_now(self, rule: CollectedRule) -> tuple[sa.ColumnElement[bool], ...]:
        """Conditions for due reasons that no digest collects."""
        of_rule = self._due(rule)
        if rule.digest_s:
            of_rule = (*of_rule, notifications.c.topic != "alert")
        if not is_within(rule.hours, self._clock()):
            return (*of_rule, notifications.c.topic == "alert")
        if self._ticks() < self._held_until_s:
            is_new = notifications.c.number > self._number_of_last_held()
            return (*of_rule, sa.or_(notifications.c.topic == "alert", is_new))
        return of_rule

    def _number_of_last_held(self) -> int:
        if self._last_held is None:
            with self._engine.connect() as db:
                self._last_held = db.scalar(sa.select(sa.func.max(notifications.c.number))) or 0
        return self._last_held

    def _due_in_digest(self, rule: CollectedRule) -> tuple[sa.ColumnElement[bool], ...]:
        """Conditions for alerts that have waited for the whole period of the digest."""
        if not rule.digest_s:
            return (sa.false(),)
        is_complete = notifications.c.due_s <= self._now_s - rule.digest_s
        return (*self._due(rule), notifications.c.topic == "alert", is_complete)

    def _due(self, rule: CollectedRule) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            notifications.c.state == "waiting",
            notifications.c.rule == rule.name,
            notifications.c.target == "",
            is_past(self._engine, notifications.c.due_s, MAX_DELAY_S),
        )

    def _take(self, db: sa.Connection, rule: CollectedRule) -> list[dict[str, Any]]:
        """Delete due reasons that no digest collects, and return them, the oldest first.

        The age limit of a fault begins now.
        """
        numbers = (
            sa.select(notifications.c.number)
            .where(*self._due_now(rule))
            .order_by(notifications.c.due_s, notifications.c.number)
            .limit(MAX_TAKEN)
        )
        now_s: float = db.scalar(sa.select(self._now_s)) or 0.0
        return [
            row if row["topic"] == "alert" else {**row, "expires_s": now_s + rule.lasts_s}
            for row in self._delete(db, notifications.c.number.in_(numbers))
        ]

    def _take_digests(self, db: sa.Connection, rule: CollectedRule) -> list[dict[str, Any]]:
        """Delete the alerts of each device whose digest is complete; return a row for each."""
        if not rule.digest_s:
            return []
        query = sa.select(notifications.c.device).where(*self._due_in_digest(rule)).distinct()
        now_s: float = db.scalar(sa.select(self._now_s)) or 0.0
        alerts = (*self._due(rule), notifications.c.topic == "alert")
        return [
            _merge(self._delete(db, *alerts, notifications.c.device == device), now_s, rule.lasts_s)
            for device in db.scalars(query).all()
        ]

    def _delete(
        self, db: sa.Connection, *conditions: sa.ColumnElement[bool]
    ) -> list[dict[str, Any]]:
        """Delete reasons; return their rows, the oldest first, without what is set anew."""
        found = db.execute(sa.delete(notifications).where(*conditions).returning(notifications))
        rows = sorted(
            (dict(row._mapping) for row in found), key=lambda r: (r["due_s"], r["number"])
        )
        left_out = ("number", "state", "leased_until_s", "attempts", "error", "finished_s")
        return [{name: row[name] for name in row if name not in left_out} for row in rows]

    def _passes_cooldown(
        self, db: sa.Connection, rule: CollectedRule, reason: Mapping[str, Any]
    ) -> bool:
        """Start the cooldown for this device and topic; return False if it is running already."""
        if not rule.cooldown_s:
            return True
        cooldowns = notification_cooldowns
        insert = upsert(self._engine, cooldowns).values(
            rule=rule.name, device=reason["device"], topic=reason["topic"], last_s=self._now_s
        )
        is_over = is_past(self._engine, cooldowns.c.last_s + rule.cooldown_s, rule.cooldown_s + 1.0)
        started = db.execute(
            insert.on_conflict_do_update(
                index_elements=["rule", "device", "topic"],
                set_={"last_s": insert.excluded.last_s},
                where=is_over,
            ).returning(cooldowns.c.rule)
        )
        return started.first() is not None


def _merge(rows: Sequence[Mapping[str, Any]], now_s: float, lasts_s: float) -> dict[str, Any]:
    """Return one row for all alerts in `rows`; its age limit begins now."""
    labels = Counter(row["label"] for row in rows)
    detail = ", ".join(f"{count}x {label_text(label)}" for label, count in sorted(labels.items()))
    times = [row["first_s"] for row in rows]
    return {
        **rows[0],
        "total": len(rows),
        "detail": detail[:120],
        "first_s": min(times),
        "last_s": max(times),
        "expires_s": now_s + lasts_s,
    }
