"""The queue of notifications in the database: adding, leasing and finishing them.

Several dashboards may share the queue. A notification that one of them delivers is leased to it; if
the dashboard is killed, the lease expires and another one delivers the notification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from edge.dashboard.history.database import chunks, database_time_s, upsert
from edge.dashboard.history.tables import notification_cooldowns, notifications

#: For how long a notification is leased. The process that delivers it renews the lease.
LEASE_S = 60.0
#: A due time that is further ahead than any delay was written before the clock was set back.
MAX_DELAY_S = 3700.0
#: Finished notifications that are kept for the page: the newest, and for how long.
MAX_FINISHED, FINISHED_DAYS = 5000, 30.0
MAX_ERROR_LENGTH = 300

#: The name of a rule, and the receiver in it: a line of its addresses, or a browser.
Target = tuple[str, str]


@dataclass(frozen=True)
class Reason:
    """A reason for a notification of `rule`; see the columns of the table `notifications`.

    It becomes due after `delay_s` and expires after `lasts_s`.
    """

    rule: str
    key: str
    topic: str
    device: str
    at_s: float
    delay_s: float
    lasts_s: float
    title: str = ""
    label: str = ""
    detail: str = ""
    total: int = 1


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt: `error` is empty if the notification was handed over.

    After `retry_s`, it is tried again; None means that a further attempt is of no use.
    """

    number: int
    error: str = ""
    retry_s: float | None = None


class NotificationQueue:
    """The queue; may be used from any thread. Methods raise sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the tables of an open database."""
        self._engine = engine
        self._now_s = database_time_s(engine)

    def add(self, db: sa.Connection, reasons: Sequence[Reason]) -> None:
        """Add reasons in the transaction of `db`, except those that were added before."""
        if not reasons:
            return
        statement = upsert(self._engine, notifications).values(
            due_s=self._now_s + sa.bindparam("delay_s"),
            expires_s=self._now_s + sa.bindparam("lasts_s"),
        )
        # Sorted, because two dashboards that add the same reasons could deadlock otherwise.
        rows = [
            {
                "rule": reason.rule, "target": "", "key": reason.key[:200], "topic": reason.topic,
                "device": reason.device, "title": reason.title[:64], "label": reason.label[:32],
                "detail": reason.detail[:120], "total": reason.total, "first_s": reason.at_s,
                "last_s": reason.at_s, "state": "waiting", "leased_until_s": 0.0, "attempts": 0,
                "error": "", "delay_s": reason.delay_s, "lasts_s": reason.lasts_s,
            }
            for reason in sorted(reasons, key=lambda reason: (reason.rule, reason.key))
        ]  # fmt: skip
        db.execute(statement.on_conflict_do_nothing(), rows)

    def withdraw(self, db: sa.Connection, rules: Sequence[str], keys: Sequence[str]) -> None:
        """Delete reasons that are not due yet, such as an alert that ended before it was due."""
        for part in chunks(keys):
            db.execute(
                sa.delete(notifications).where(
                    notifications.c.rule.in_(rules),
                    notifications.c.key.in_(part),
                    notifications.c.target == "",
                )
            )

    def add_test(self, rule: str, targets: Sequence[str], now_s: float, lasts_s: float) -> str:
        """Queue a test message for each target of a rule; return its key."""
        key = f"test:{now_s:.3f}"
        rows = [
            {
                "rule": rule, "target": target, "key": key, "topic": "test", "device": "",
                "title": "", "label": "", "detail": "", "total": 1, "first_s": now_s,
                "last_s": now_s, "state": "queued", "leased_until_s": 0.0, "attempts": 0,
                "error": "",
            }
            for target in targets
        ]  # fmt: skip
        insert = upsert(self._engine, notifications).values(
            due_s=self._now_s, expires_s=self._now_s + lasts_s
        )
        if rows:
            with self._engine.begin() as db:
                db.execute(insert.on_conflict_do_nothing(), rows)
        return key

    def due_targets(self) -> set[Target]:
        """Return the targets that have a notification to be delivered now."""
        query = sa.select(notifications.c.rule, notifications.c.target).where(*self._is_free())
        with self._engine.connect() as db:
            return {(row.rule, row.target) for row in db.execute(query.distinct())}

    def exchange(self, outcome: Outcome | None, target: Target | None) -> sa.Row[Any] | None:
        """Record the outcome of an attempt, and lease the target's next notification.

        Return its row, or None if nothing is due. Both happen in one transaction.
        """
        with self._engine.begin() as db:
            if outcome is not None:
                self._record(db, outcome)
            return None if target is None else self._lease(db, target)

    def renew(self, numbers: Mapping[int, str]) -> None:
        """Renew the leases of notifications; the values are texts about their delay, or empty."""
        with self._engine.begin() as db:
            for number, delay in sorted(numbers.items()):
                values: dict[str, Any] = {"leased_until_s": self._now_s + LEASE_S}
                if delay:
                    values["error"] = delay
                db.execute(
                    sa.update(notifications)
                    .where(notifications.c.number == number, notifications.c.state == "queued")
                    .values(values)
                )

    def give_up_expired(self) -> int:
        """Mark the notifications that are too old as failed; return how many there were."""
        expired = (
            notifications.c.state.in_(("waiting", "queued")),
            notifications.c.expires_s <= self._now_s,
            *self._has_no_lease(),
        )
        with self._engine.connect() as db:
            if db.scalar(sa.select(notifications.c.number).where(*expired).limit(1)) is None:
                return 0
        with self._engine.begin() as db:
            done = db.execute(
                sa.update(notifications)
                .where(*expired)
                .values(state="failed", finished_s=self._now_s)
            )
            return done.rowcount

    def fail_target(self, target: str, error: str) -> None:
        """Mark every notification for a target that no longer exists as failed."""
        with self._engine.begin() as db:
            db.execute(
                sa.update(notifications)
                .where(notifications.c.state == "queued", notifications.c.target == target)
                .values(state="failed", error=error, finished_s=self._now_s)
            )

    def delete_old(self) -> None:
        """Delete finished notifications that are too old or too many, and ended cooldowns."""
        finished = notifications.c.state.in_(("sent", "failed"))
        newest = (
            sa.select(notifications.c.number)
            .where(finished)
            .order_by(notifications.c.number.desc())
            .offset(MAX_FINISHED)
            .limit(1)
        )
        with self._engine.begin() as db:
            last_kept = db.scalar(newest) or 0
            old_s = self._now_s - FINISHED_DAYS * 86_400.0
            db.execute(
                sa.delete(notifications).where(
                    finished,
                    sa.or_(notifications.c.number <= last_kept, notifications.c.finished_s < old_s),
                )
            )
            db.execute(
                sa.delete(notification_cooldowns).where(
                    notification_cooldowns.c.last_s < self._now_s - 2 * 86_400.0
                )
            )

    def _lease(self, db: sa.Connection, target: Target) -> sa.Row[Any] | None:
        rule, name = target
        is_test = sa.case((notifications.c.topic == "test", 1), else_=0)
        chosen = (
            sa.select(notifications.c.number)
            .where(*self._is_free(), notifications.c.rule == rule, notifications.c.target == name)
            .order_by(is_test.desc(), notifications.c.due_s, notifications.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        return db.execute(
            sa.update(notifications)
            .where(notifications.c.number == chosen)
            .values(leased_until_s=self._now_s + LEASE_S, attempts=notifications.c.attempts + 1)
            .returning(notifications)
        ).first()

    def _record(self, db: sa.Connection, outcome: Outcome) -> None:
        values: dict[str, Any] = {"leased_until_s": 0.0, "error": outcome.error[:MAX_ERROR_LENGTH]}
        if outcome.error and outcome.retry_s is not None:
            values["due_s"] = self._now_s + outcome.retry_s
        else:
            values["state"] = "failed" if outcome.error else "sent"
            values["finished_s"] = self._now_s
        db.execute(
            sa.update(notifications)
            .where(notifications.c.number == outcome.number, notifications.c.state == "queued")
            .values(values)
        )

    def _is_free(self) -> tuple[sa.ColumnElement[bool], ...]:
        """Conditions for a notification that may be delivered now."""
        return (
            notifications.c.state == "queued",
            is_past(self._engine, notifications.c.due_s, MAX_DELAY_S),
            notifications.c.expires_s > self._now_s,
            *self._has_no_lease(),
        )

    def _has_no_lease(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (is_past(self._engine, notifications.c.leased_until_s, LEASE_S + 1.0),)


def is_past(
    engine: sa.Engine, at_s: sa.ColumnElement[float], max_ahead_s: float
) -> sa.ColumnElement[bool]:
    """Return a condition: `at_s` is not in the future, by the clock of the database.

    A time that is ahead by more than `max_ahead_s` counts as past, too: it was written before the
    clock was set back.
    """
    now_s = database_time_s(engine)
    return sa.or_(at_s <= now_s, at_s > now_s + max_ahead_s)
