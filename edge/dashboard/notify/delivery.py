"""Delivery: hands the notifications of the queue to their receivers.

Each target has a thread of its own while it has notifications, so that a receiver that does not
answer holds up no other one, and one notification at a time, so that at most one is in doubt when
the process is killed. After a failure, the target pauses; the pauses double.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from edge.dashboard.notify.channel import Channel, SendResult
from edge.dashboard.notify.message_text import render
from edge.dashboard.notify.notification_queue import (
    LEASE_S,
    NotificationQueue,
    Outcome,
    Target,
)
from edge.dashboard.notify.reason_collector import CollectedRule, ReasonCollector
from edge.dashboard.notify.retry_delay import retry_delay_s

log = logging.getLogger(__name__)

#: How often the queue is read without being woken: other dashboards also add to it.
POLL_S = 0.5
#: Threads; targets that failed last use at most half of them, so that others remain for the rest.
MAX_THREADS = 32
RENEW_EVERY_S = LEASE_S / 4
#: An attempt that takes longer is shown on the page; connecting and waiting have shorter limits.
SLOW_S = 30.0
DELETE_OLD_EVERY_S = 300.0
RECORD_RETRY_S = 1.0


class Receivers(Protocol):
    """The receivers of all rules."""

    def targets(self, rule: str) -> Sequence[str]:
        """Return the targets for which notifications of a rule are queued."""

    def channels(self) -> Mapping[Target, Channel]:
        """Return the channels of the targets that this process can reach."""

    def remove(self, target: Target, error: str) -> None:
        """Forget a target whose receiver is gone, and fail what is queued for it."""


@dataclass
class _TargetState:
    """The attempts of one target; times on the monotonic clock."""

    failures: int = 0
    paused_until_s: float = 0.0
    is_busy: bool = False
    #: The notification that is being handed over, and since when.
    number: int | None = None
    since_s: float = field(default=0.0)


class Delivery:
    """Collects and delivers until it is stopped."""

    def __init__(
        self,
        queue: NotificationQueue,
        collector: ReasonCollector,
        rules: Sequence[CollectedRule],
        receivers: Receivers,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Deliver the notifications of `rules`; `ticks` is a monotonic clock in seconds."""
        self._queue, self._collector = queue, collector
        self._rules, self._receivers = rules, receivers
        self._ticks = ticks
        self._lock = threading.Condition()
        self._states: dict[Target, _TargetState] = {}
        self._is_woken = self._is_stopped = False
        self._renewed_s = self._deleted_s = 0.0

    def wake(self, ends_pauses: bool = False) -> None:
        """Read the queue at once; may be called from any thread.

        `ends_pauses`: targets that pause after a failure are tried at once, too.
        """
        with self._lock:
            if ends_pauses:
                for state in self._states.values():
                    state.paused_until_s = -math.inf
            self._is_woken = True
            self._lock.notify_all()

    def stop(self) -> None:
        """Begin no further attempt; may be called from any thread."""
        with self._lock:
            self._is_stopped = True
            self._lock.notify_all()

    def run(self) -> None:
        """Deliver until `stop` is called."""
        while not self._is_stopped:
            try:
                self._step()
            except sa.exc.SQLAlchemyError as error:
                log.warning("notifications wait: %s", getattr(error, "orig", None) or error)
            with self._lock:
                self._lock.wait_for(lambda: self._is_woken or self._is_stopped, POLL_S)
                self._is_woken = False

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no attempt is running; return False if one is after `timeout_s`."""
        with self._lock:
            return self._lock.wait_for(
                lambda: not any(state.is_busy for state in self._states.values()), timeout_s
            )

    def _step(self) -> None:
        for rule in self._rules:
            while self._collector.collect(rule, self._receivers.targets(rule.name)):
                pass
        self._queue.give_up_expired()
        channels = self._receivers.channels()
        for target in self._startable(self._queue.due_targets() & channels.keys()):
            threading.Thread(
                target=self._deliver,
                args=(target, channels[target]),
                name=f"notify-{target[0]}",
                daemon=True,
            ).start()
        now_s = self._ticks()
        if now_s - self._renewed_s >= RENEW_EVERY_S:
            self._renewed_s = now_s
            self._queue.renew(self._running_attempts())
        if now_s - self._deleted_s >= DELETE_OLD_EVERY_S:
            self._deleted_s = now_s
            self._queue.delete_old()

    def _startable(self, due: set[Target]) -> list[Target]:
        """Return the targets for which a thread may start now, and mark them as busy."""
        started = []
        with self._lock:
            busy = [state for state in self._states.values() if state.is_busy]
            room, failing = MAX_THREADS - len(busy), sum(bool(state.failures) for state in busy)
            states = {target: self._states.setdefault(target, _TargetState()) for target in due}
            for target in sorted(due, key=lambda target: (states[target].failures, target)):
                state = states[target]
                if state.is_busy or self._ticks() < state.paused_until_s or room <= 0:
                    continue
                if state.failures and failing >= MAX_THREADS // 2:
                    continue
                state.is_busy = True
                room -= 1
                failing += bool(state.failures)
                started.append(target)
        return started

    def _deliver(self, target: Target, channel: Channel) -> None:
        """Deliver the notifications of a target until none is due, or one fails."""
        state = self._states[target]
        try:
            outcome: Outcome | None = None
            while True:
                can_go_on = not self._is_stopped and not (outcome and outcome.error)
                row = self._exchange(outcome, target if can_go_on else None)
                if row is None:
                    return
                outcome = self._attempt(state, target, channel, row)
        except sa.exc.SQLAlchemyError as error:
            self._pause(state)
            log.warning("notifications wait: %s", getattr(error, "orig", None) or error)
        finally:
            with self._lock:
                state.is_busy, state.number = False, None
                self._lock.notify_all()

    def _exchange(self, outcome: Outcome | None, target: Target | None) -> sa.Row[Any] | None:
        """Call `exchange` of the queue until it has recorded the outcome.

        An outcome that is not recorded would send a message that was handed over once more.
        """
        while True:
            try:
                return self._queue.exchange(outcome, target)
            except sa.exc.SQLAlchemyError:
                with self._lock:
                    if outcome is None or self._is_stopped:
                        raise
                    self._lock.wait(RECORD_RETRY_S)

    def _attempt(
        self, state: _TargetState, target: Target, channel: Channel, row: sa.Row[Any]
    ) -> Outcome:
        with self._lock:
            state.number, state.since_s = row.number, self._ticks()
        try:
            result = channel.send(render(row))
        except Exception as error:  # a library's mistake must not end the delivery of others
            # The text of the error could contain the address of the receiver.
            place = traceback.extract_tb(error.__traceback__)[-1]
            result = SendResult(
                f"an internal error: {type(error).__name__} in {place.name}, line {place.lineno}"
            )
        with self._lock:
            state.number = None
        if not result.error:
            if state.failures:
                log.info("notifications of the rule %s are delivered again", target[0])
            state.failures = 0
            return Outcome(row.number)
        if result.is_gone:
            self._receivers.remove(target, result.error)
            return Outcome(row.number, result.error)
        if not state.failures:
            log.warning("a notification of the rule %s failed: %s", target[0], result.error)
        retry_s = self._pause(state)
        return Outcome(row.number, result.error, None if row.topic == "test" else retry_s)

    def _pause(self, state: _TargetState) -> float:
        """Count a failure; return for how many seconds the target pauses."""
        with self._lock:
            state.failures += 1
            pause_s = retry_delay_s(state.failures)
            state.paused_until_s = self._ticks() + pause_s
        return pause_s

    def _running_attempts(self) -> dict[int, str]:
        """Return the notifications that are being handed over, and texts about long delays."""
        with self._lock:
            now_s = self._ticks()
            running = [
                (state.number, now_s - state.since_s)
                for state in self._states.values()
                if state.number is not None
            ]
        return {
            number: f"the receiver has not completed its answer for {age_s:.0f} s"
            if age_s > SLOW_S
            else ""
            for number, age_s in running
        }
