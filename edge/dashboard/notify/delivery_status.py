"""What the page shows of the notifications: the state of each rule, and the newest deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from edge.dashboard.history.tables import notifications
from edge.dashboard.notify.message_text import render

#: How many deliveries the page lists.
MAX_LISTED = 50
#: The error of a notification that was given up before its first attempt.
NEVER_TRIED = "too old before it could be delivered"


@dataclass(frozen=True)
class RuleState:
    """The notifications of a rule; times in seconds since the epoch.

    `waiting` counts the reasons that are not due yet, `queued` the notifications that are to be
    delivered. `error` is why the newest attempt failed, empty after a success.
    """

    waiting: int = 0
    queued: int = 0
    failed: int = 0
    sent_s: float | None = None
    failed_s: float | None = None
    error: str = ""


@dataclass(frozen=True)
class DeliveryRow:
    """A notification as the page lists it; `at_s` is when its reason happened."""

    number: int
    rule: str
    target: str
    title: str
    state: str
    at_s: float
    finished_s: float | None
    attempts: int
    error: str
    is_test: bool


class DeliveryStatus:
    """Reads the queue; methods raise sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the tables of an open database."""
        self._engine = engine

    def rules(self, names: Sequence[str]) -> Mapping[str, RuleState]:
        """Return the state of each rule."""
        counts = sa.select(
            notifications.c.rule,
            notifications.c.state,
            sa.func.count().label("rows"),
            sa.func.max(notifications.c.finished_s).label("finished_s"),
        ).group_by(notifications.c.rule, notifications.c.state)
        with self._engine.connect() as db:
            found = {(row.rule, row.state): row for row in db.execute(counts)}
            errors = {name: self._error(db, name) for name in names}

        def rows(name: str, state: str) -> int:
            return found[name, state].rows if (name, state) in found else 0

        def finished_s(name: str, state: str) -> float | None:
            return found[name, state].finished_s if (name, state) in found else None

        return {
            name: RuleState(
                rows(name, "waiting"),
                rows(name, "queued"),
                rows(name, "failed"),
                finished_s(name, "sent"),
                finished_s(name, "failed"),
                errors[name],
            )
            for name in names
        }

    def newest(self, limit: int = MAX_LISTED) -> list[DeliveryRow]:
        """Return the newest notifications, the newest first."""
        query = sa.select(notifications).where(notifications.c.state != "waiting")
        with self._engine.connect() as db:
            rows = db.execute(query.order_by(notifications.c.number.desc()).limit(limit)).all()
        return [_listed(row) for row in rows]

    def is_finished(self, rule: str, key: str) -> bool:
        """Return whether no notification of a rule with this key is to be delivered any more."""
        queued = sa.select(notifications.c.number).where(
            notifications.c.rule == rule,
            notifications.c.key == key,
            notifications.c.state == "queued",
        )
        with self._engine.connect() as db:
            return db.scalar(queued.limit(1)) is None

    def _error(self, db: sa.Connection, rule: str) -> str:
        """Return the error of the rule's notification that was tried or given up last."""
        tried = sa.select(notifications).where(
            notifications.c.rule == rule,
            sa.or_(notifications.c.attempts > 0, notifications.c.state == "failed"),
            notifications.c.target != "",
        )
        row = db.execute(
            tried.order_by(_last_change_s().desc(), notifications.c.number.desc()).limit(1)
        ).first()
        return "" if row is None else _shown_error(row)


def _last_change_s() -> sa.ColumnElement[float]:
    return sa.func.coalesce(notifications.c.finished_s, notifications.c.due_s)


def _shown_error(row: Any) -> str:
    return row.error or (NEVER_TRIED if row.state == "failed" else "")


def _listed(row: Any) -> DeliveryRow:
    return DeliveryRow(
        row.number,
        row.rule,
        row.target,
        render(row).title,
        row.state,
        row.first_s,
        row.finished_s,
        row.attempts,
        _shown_error(row),
        row.topic == "test",
    )
