"""The faults of the devices: offline, camera stalled, events lost; each is reported once.

Several dashboards that share a database see the same faults. The table `device_faults` decides
which of them reports a fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from edge.config.notify_rule import Topic
from edge.dashboard.history.database import database_time_s, upsert
from edge.dashboard.history.tables import device_faults
from edge.dashboard.live.device_state import Condition, DeviceState
from edge.dashboard.notify.notification_queue import is_past

#: A fault that begins again this soon after its end may be one that another dashboard has not seen
#: end yet. It is reported if it continues.
REOPEN_AFTER_S = 10.0
#: Events that are missing for this long count as lost: before, they may arrive out of order.
LOST_AFTER_S = 30.0
#: The conditions in which a device has, and no longer has, each fault. In the others it is unknown.
_HAS: dict[Topic, tuple[Condition, ...]] = {
    "device_offline": ("offline", "stalled"),
    "camera_stalled": ("trouble",),
}
_HAS_NOT: dict[Topic, tuple[Condition, ...]] = {
    "device_offline": ("online", "trouble", "paused"),
    "camera_stalled": ("online", "paused"),
}


@dataclass(frozen=True)
class FaultChange:
    """A fault of a device that begins, or that is over; `total` is the number of lost events."""

    topic: Topic
    device: str
    title: str = ""
    detail: str = ""
    total: int = 1
    is_over: bool = False


class FaultWatch:
    """Compares the devices' states with the faults that were reported. Not thread-safe.

    Methods raise sqlalchemy.exc.SQLAlchemyError.
    """

    def __init__(
        self, engine: sa.Engine, topics: Collection[str], ticks: Callable[[], float]
    ) -> None:
        """Watch for the faults in `topics`; `ticks` is the clock of the devices' states."""
        self._engine = engine
        self._now_s = database_time_s(engine)
        self._topics = [topic for topic in _HAS if topic in topics]
        self._watches_losses = "events_lost" in topics
        self._ticks = ticks
        self._connected_s = math.inf
        self._open: set[tuple[str, str]] | None = None
        #: How many lost events of each device were reported, and since when there are more.
        self._reported: dict[str, int] = {}
        self._more_since_s: dict[str, float] = {}

    def changes(self, devices: Iterable[DeviceState], is_connected: bool) -> list[FaultChange]:
        """Return the faults that begin and end; report each by `begin` or `end`.

        Without a connection to the broker, nothing is known of the devices.
        """
        if not is_connected:
            self._connected_s = math.inf
            return []
        now_s = self._ticks()
        self._connected_s = min(self._connected_s, now_s)
        if self._open is None:
            self._load()
        found: list[FaultChange] = []
        for device in devices:
            found += self._changed_faults(device, now_s)
            if self._watches_losses:
                found += self._new_losses(device, now_s)
        return found

    def begin(self, db: sa.Connection, change: FaultChange) -> str:
        """Record that a fault has begun; return its key, empty if it is not to be reported.

        That is because another dashboard reports it, or because it ended only moments ago.
        """
        assert self._open is not None
        if change.topic == "events_lost":
            return self._record_loss(db, change)
        since_s = self._since_s(db, change)
        if since_s is None:
            faults = device_faults
            insert = upsert(self._engine, faults).values(
                device=change.device, topic=change.topic, since_s=self._now_s, total=0
            )
            is_later = is_past(self._engine, faults.c.cleared_s + REOPEN_AFTER_S, REOPEN_AFTER_S)
            since_s = db.scalar(
                insert.on_conflict_do_update(
                    index_elements=["device", "topic"],
                    set_={"since_s": insert.excluded.since_s, "cleared_s": None},
                    where=sa.and_(faults.c.since_s.is_(None), is_later),
                ).returning(faults.c.since_s)
            )
            if since_s is None:
                return ""
            self._open.add((change.device, change.topic))
            return _key(change, since_s)
        self._open.add((change.device, change.topic))
        return ""

    def end(self, db: sa.Connection, change: FaultChange) -> list[str]:
        """Record that a fault is over; return its key, if another dashboard has not done this."""
        assert self._open is not None
        since_s = self._since_s(db, change)
        db.execute(
            sa.update(device_faults)
            .where(*_is(change), device_faults.c.since_s.is_not(None))
            .values(since_s=None, cleared_s=self._now_s)
        )
        self._open.discard((change.device, change.topic))
        return [] if since_s is None else [_key(change, since_s)]

    def _load(self) -> None:
        with self._engine.connect() as db:
            rows = db.execute(sa.select(device_faults)).all()
        self._open = {(row.device, row.topic) for row in rows if row.since_s is not None}
        self._reported = {row.device: row.total for row in rows if row.topic == "events_lost"}

    def _changed_faults(self, device: DeviceState, now_s: float) -> Iterable[FaultChange]:
        assert self._open is not None
        condition, reason = device.condition(now_s)
        if condition == "stalled" and now_s - self._connected_s <= device.silence_limit_s:
            return  # The connection to the broker was interrupted, and the next report is not due.
        for topic in self._topics:
            is_open = (device.name, topic) in self._open
            if condition in _HAS[topic] and not is_open:
                detail = reason if topic == "camera_stalled" else condition
                yield FaultChange(topic, device.name, device.names.title, detail)
            elif condition in _HAS_NOT[topic] and is_open:
                yield FaultChange(topic, device.name, is_over=True)

    def _new_losses(self, device: DeviceState, now_s: float) -> Iterable[FaultChange]:
        reported = self._reported.setdefault(device.name, device.lost)
        if device.lost <= reported:
            # Events that were reported as lost have arrived after all, or none is missing.
            self._reported[device.name] = device.lost
            self._more_since_s.pop(device.name, None)
            return
        if now_s - self._more_since_s.setdefault(device.name, now_s) >= LOST_AFTER_S:
            lost = device.lost - reported
            yield FaultChange("events_lost", device.name, device.names.title, total=lost)

    def _record_loss(self, db: sa.Connection, change: FaultChange) -> str:
        """Record how many events were lost in total; return the key, empty if that is known."""
        before = self._reported[change.device]
        total = before + change.total
        faults = device_faults
        insert = upsert(self._engine, faults).values(
            device=change.device, topic=change.topic, cleared_s=self._now_s, total=total
        )
        at_s = db.scalar(
            insert.on_conflict_do_update(
                index_elements=["device", "topic"],
                set_={"total": total, "cleared_s": insert.excluded.cleared_s},
                where=sa.or_(
                    faults.c.total <= before, is_past(self._engine, _reported_until(), 60.0)
                ),
            ).returning(faults.c.cleared_s)
        )
        self._reported[change.device] = total
        self._more_since_s.pop(change.device, None)
        return "" if at_s is None else _key(change, at_s)

    def _since_s(self, db: sa.Connection, change: FaultChange) -> float | None:
        return db.scalar(sa.select(device_faults.c.since_s).where(*_is(change)))


def _reported_until() -> sa.ColumnElement[float]:
    """Return until when the same losses are being reported by other dashboards."""
    return device_faults.c.cleared_s + 2.0 * LOST_AFTER_S


def _is(change: FaultChange) -> tuple[sa.ColumnElement[bool], ...]:
    return (device_faults.c.device == change.device, device_faults.c.topic == change.topic)


def _key(change: FaultChange, at_s: float) -> str:
    return f"{change.topic}:{change.device}:{at_s:.3f}"
