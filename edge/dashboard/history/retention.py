"""Deletion of rows that are too old or too many, in small transactions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from edge.common.clock import clock_is_synchronised
from edge.dashboard.base.device_slots import SILENT_AFTER_S
from edge.dashboard.history.database import chunks, lock_devices
from edge.dashboard.history.store import HOUR_S
from edge.dashboard.history.tables import (
    alerts,
    daily,
    devices,
    events,
    figures,
    gaps,
    hourly,
    problems,
    sessions,
    totals,
)

log = logging.getLogger(__name__)

DAY_S = 86_400.0
CLEANUP_EVERY_S = 3600.0
#: If the clock is further ahead of the last message of any device than this, ages of rows are
#: computed as if only this time had passed. Otherwise a clock that has jumped ahead would cause the
#: whole history to be deleted.
MAX_DAYS_AFTER_LAST_MESSAGE = 30.0
#: How many alerts one transaction deletes; new events wait until it ends.
CHUNK_ALERTS = 1000
FIGURES_DAYS = 14.0
PROBLEMS_DAYS = 90.0
MAX_PROBLEMS_KEPT = 20_000
#: A limit for device names, so that invented names cannot fill the disk.
MAX_DEVICES = 20_000
#: A separate limit for retired devices. They are kept longer than their alerts, because the broker
#: may send their retained messages at any time, and these messages must not put
#: the devices on the list again.
MAX_RETIRED = 20_000
#: Login sessions are never valid for longer than this.
SESSION_DAYS = 30.0


def delete_expired(
    engine: sa.Engine,
    now_s: float,
    max_age_days: float,
    max_alerts: int,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Delete expired and surplus rows; return how many alerts were deleted.

    Stop early, between two transactions, when `stopped` returns True.
    """
    with engine.connect() as db:
        heard_s = db.scalar(sa.select(sa.func.max(devices.c.last_seen_s)))
    if heard_s is not None:
        now_s = min(now_s, heard_s + MAX_DAYS_AFTER_LAST_MESSAGE * DAY_S)
    deleted = 0
    while not stopped():
        with engine.begin() as db:
            count = _delete_alert_chunk(db, now_s - max_age_days * DAY_S, max_alerts)
        deleted += count
        if count < CHUNK_ALERTS:
            break
    _delete_expired_devices(engine, now_s, max_age_days)
    with engine.begin() as db:
        _delete_other_rows(db, now_s, max_age_days)
    return deleted


def _delete_alert_chunk(db: sa.Connection, before_s: float, max_alerts: int) -> int:
    """Delete the oldest expired or surplus alerts, at most CHUNK_ALERTS; return how many."""
    oldest = sa.select(alerts.c.episode).order_by(alerts.c.started_s, alerts.c.episode)
    found = list(db.scalars(oldest.where(alerts.c.started_s < before_s).limit(CHUNK_ALERTS)))
    if not found:
        total = db.scalar(sa.select(sa.func.count()).select_from(alerts)) or 0
        if (surplus := total - max_alerts) > 0:
            found = list(db.scalars(oldest.limit(min(CHUNK_ALERTS, surplus))))
    if found:
        db.execute(sa.delete(events).where(events.c.episode.in_(found)))
        db.execute(sa.delete(alerts).where(alerts.c.episode.in_(found)))
    return len(found)


def _delete_other_rows(db: sa.Connection, now_s: float, max_age_days: float) -> None:
    before_s = now_s - max_age_days * DAY_S
    first_s = db.scalar(sa.select(sa.func.min(alerts.c.started_s)))
    if first_s is not None:  # keep the counts of all remaining alerts
        before_s = max(before_s, min(first_s, now_s))
    first_hour = int(before_s // HOUR_S)
    db.execute(sa.delete(hourly).where(hourly.c.hour < first_hour))
    db.execute(sa.delete(daily).where(daily.c.day < first_hour // 24))
    db.execute(sa.delete(totals).where(totals.c.hour < first_hour))
    db.execute(sa.delete(gaps).where(gaps.c.noticed_s < now_s - max_age_days * DAY_S))
    db.execute(sa.delete(figures).where(figures.c.at_s < now_s - FIGURES_DAYS * DAY_S))
    oldest_kept = (
        sa.select(problems.c.number)
        .order_by(problems.c.number.desc())
        .offset(MAX_PROBLEMS_KEPT)
        .limit(1)
        .scalar_subquery()
    )
    db.execute(
        sa.delete(problems).where(
            sa.or_(
                problems.c.number <= oldest_kept, problems.c.at_s < now_s - PROBLEMS_DAYS * DAY_S
            )
        )
    )
    db.execute(sa.delete(sessions).where(sessions.c.used_s < now_s - SESSION_DAYS * DAY_S))


def _delete_expired_devices(engine: sa.Engine, now_s: float, max_age_days: float) -> None:
    retired = devices.c.retired_s.is_not(None)
    listed = devices.c.retired_s.is_(None)
    first_seen_s = sa.func.coalesce(devices.c.first_seen_s, 0.0)
    heard_s = sa.func.coalesce(devices.c.last_seen_s, first_seen_s)
    old = sa.and_(listed, heard_s < now_s - max_age_days * DAY_S)
    _delete_devices(engine, 0, old, devices.c.device)
    # As in DeviceSlots, silent devices are deleted first, and then the newest ones.
    is_active = sa.case((heard_s < now_s - SILENT_AFTER_S, 0), else_=1)
    _delete_devices(
        engine, MAX_DEVICES, listed, is_active, first_seen_s.desc(), devices.c.device.desc()
    )
    _delete_devices(engine, MAX_RETIRED, retired, devices.c.retired_s, devices.c.device)


def _delete_devices(
    engine: sa.Engine,
    max_count: int,
    condition: sa.ColumnElement[bool],
    *order: sa.ColumnElement[Any],
) -> None:
    """Delete devices that meet `condition`, in the given order, until `max_count` are left."""
    with engine.begin() as db:
        total = db.scalar(sa.select(sa.func.count()).select_from(devices).where(condition)) or 0
        if (surplus := total - max_count) > 0:
            first = sa.select(devices.c.device).where(condition).order_by(*order).limit(surplus)
            rows = lock_devices(db, list(db.scalars(first)), condition)
            for part in chunks([row.device for row in rows]):
                db.execute(sa.delete(devices).where(devices.c.device.in_(part)))


class RetentionJob:
    """Deletes expired rows once an hour, in its own thread."""

    def __init__(self, engine: sa.Engine, max_age_days: float, max_alerts: int) -> None:
        """Prepare the job; `max_age_days` and `max_alerts` are passed to `delete_expired`."""
        self._engine = engine
        self._limits = (max_age_days, max_alerts)
        self._started_s, self._started_ticks = time.time(), time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Delete now, and then once an hour."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the current transaction."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _now_s(self) -> float:
        """Return seconds since the epoch; ignore jumps ahead of an unsynchronised clock."""
        if clock_is_synchronised():
            return time.time()
        return min(time.time(), self._started_s + time.monotonic() - self._started_ticks)

    def _run(self) -> None:
        while True:
            try:
                count = delete_expired(
                    self._engine, self._now_s(), *self._limits, self._stopped.is_set
                )
                if count:
                    log.info("deleted %d alerts that were too old or too many", count)
            except sa.exc.SQLAlchemyError as error:
                log.warning("old alerts could not be deleted: %s", error)
            if self._stopped.wait(CLEANUP_EVERY_S):
                return
