"""Finding reasons for notifications, in the dashboard itself.

Reasons are added in the transaction that stores the alert: an alert that is in the history has its
reasons in the queue, even if the dashboard is killed at the next moment.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from edge.config.notify_rule import NotifyRule
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import chunks
from edge.dashboard.history.tables import alerts
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.notify.fault_watch import FaultChange, FaultWatch
from edge.dashboard.notify.notification_queue import NotificationQueue, Reason
from edge.dashboard.notify.rule_matching import matches_alert, matches_fault

log = logging.getLogger(__name__)

#: How long a fault may wait for the hours of a rule, which come every week.
MAX_WAIT_FOR_HOURS_S = 8 * 86_400.0


class Notifier:
    """Adds reasons to the queue for the rules of the configuration."""

    def __init__(
        self,
        rules: Sequence[NotifyRule],
        engine: sa.Engine,
        live: LiveState,
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """Add to the queue in `engine`; `wake` has the delivery read the queue.

        `clock` gives seconds since the epoch.
        """
        self._rules = rules
        self._engine = engine
        self._queue = NotificationQueue(engine)
        self._live = live
        self._wake = wake
        self._clock = clock
        topics = {topic for rule in rules for topic in rule.about}
        self._faults = FaultWatch(engine, topics, live.ticks)

    def add_alerts(self, db: sa.Connection, new: Sequence[EventMessage]) -> None:
        """Add the reasons of events that are stored for the first time, in their transaction.

        A failure must not keep the events from being stored, unless the database itself fails.
        """
        if not self._rules:
            return
        try:
            with db.begin_nested():
                self._add(db, new)
        except sa.exc.OperationalError:
            raise
        except Exception as error:
            log.error("notifications of %d events are missing: %s", len(new), type(error).__name__)

    def wake(self) -> None:
        """Have the delivery read the queue; call this after the transaction."""
        self._wake()

    def check_devices(self) -> None:
        """Report the devices with a new fault; call this every second.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        if not self._rules:
            return
        changes = self._faults.changes(self._live.devices(), self._live.is_connected)
        now_s = self._clock()
        for change in changes:
            with self._engine.begin() as db:
                if change.is_over:
                    keys = self._faults.end(db, change)
                    self._queue.withdraw(db, [rule.name for rule in self._rules], keys)
                elif key := self._faults.begin(db, change):
                    self._queue.add(db, self._fault_reasons(change, key, now_s))
        if changes:
            self._wake()

    def _add(self, db: sa.Connection, new: Sequence[EventMessage]) -> None:
        starts = [event for event in new if event.event_type == "no_mask_start"]
        ended_s = self._known_durations_s(db, starts)
        self._queue.add(
            db,
            [
                self._alert_reason(rule, event)
                for event in starts
                for rule in self._rules
                if ended_s.get(event.episode, math.inf) >= rule.min_duration_s
                and matches_alert(rule, event, _age_s(event))
            ],
        )
        for rule in self._rules:
            short = [
                _alert_key(event)
                for event in new
                if event.event_type == "no_mask_end"
                and (event.duration_s or 0.0) < rule.min_duration_s
            ]
            self._queue.withdraw(db, [rule.name], short)

    def _known_durations_s(
        self, db: sa.Connection, starts: Sequence[EventMessage]
    ) -> dict[str, float]:
        """Return the durations of those alerts whose ends have arrived, if a rule needs them."""
        if not any(rule.min_duration_s for rule in self._rules):
            return {}
        found: dict[str, float] = {}
        for part in chunks([event.episode for event in starts]):
            query = sa.select(alerts.c.episode, alerts.c.duration_s)
            for row in db.execute(
                query.where(alerts.c.episode.in_(part), alerts.c.ended_s.is_not(None))
            ):
                found[row.episode] = row.duration_s or 0.0
        return found

    def _alert_reason(self, rule: NotifyRule, event: EventMessage) -> Reason:
        device, age_s = self._live.device(event.device), _age_s(event)
        # While a digest collects alerts, they do not get older: the age limit of its message begins
        # at its end.
        lasts_s = 60.0 * (rule.max_age_min + rule.digest_min) - age_s
        return Reason(
            rule.name,
            _alert_key(event),
            "alert",
            event.device,
            event.at_s,
            max(0.0, rule.min_duration_s - age_s),
            lasts_s,
            title=device.names.title if device else "",
            label=event.label,
        )

    def _fault_reasons(self, change: FaultChange, key: str, now_s: float) -> list[Reason]:
        return [
            Reason(
                rule.name,
                key,
                change.topic,
                change.device,
                now_s,
                rule.min_duration_s,
                60.0 * rule.max_age_min + MAX_WAIT_FOR_HOURS_S,
                title=change.title,
                detail=change.detail,
                total=change.total,
            )
            for rule in self._rules
            if matches_fault(rule, change.topic, change.device)
        ]


def _age_s(event: EventMessage) -> float:
    """Return how long ago an event happened when it arrived."""
    return max(0.0, event.received_s - event.at_s)


def _alert_key(event: EventMessage) -> str:
    return f"alert:{event.episode}"
