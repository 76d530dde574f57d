"""From the broker to the database and to the live state.

Events pass through the event batcher, which acknowledges them after the commit; every other message
changes the live state at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import sqlalchemy as sa

from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore, WriteResult
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.device_registry import DeviceRegistry
from edge.dashboard.ingest.event_batcher import BatcherCallbacks, EventBatcher
from edge.dashboard.ingest.health_log import FigureSampler, ProblemBuffer
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.live_alerts import MAX_ALERTS
from edge.dashboard.live.live_state import LiveState

LAST_SEEN_EVERY_S = 30.0
#: How far back changes by other dashboards are read: a transaction of theirs may have taken this
#: long.
RECENT_S = 15.0


class Ingest:
    """Takes the messages of the subscriber, shows them, and writes them to the database."""

    def __init__(
        self,
        validator: MessageValidator,
        store: HistoryStore,
        history: HistoryQueries,
        live: LiveState,
        shared_as: str = "",
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        on_written: Callable[[], None] = lambda: None,
        on_housekeeping: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare the parts.

        `clock` gives seconds since the epoch, for times that are shown or stored; `ticks` is a
        monotonic clock in seconds, for intervals.

        `shared_as` is this dashboard's name among those that share the database; it is empty
        if the database is not shared. `on_written` is called after each batch of events,
        `on_housekeeping` every second; it may raise sqlalchemy.exc.SQLAlchemyError.
        """
        self._validator = validator
        self._store = store
        self._history = history
        self._live = live
        self._shared_as = shared_as
        self._on_written, self._on_housekeeping = on_written, on_housekeeping
        self._clock = clock
        self._ticks = ticks
        self._registry = DeviceRegistry(validator, store, history, live, ticks)
        self._problems = ProblemBuffer()
        self._figures = FigureSampler()
        self._last_seen_written_ticks_s = -math.inf
        callbacks = BatcherCallbacks(
            self._show_written, validator.refuse_event, live.set_storage_error, self._housekeeping
        )
        self._batcher = EventBatcher(store, callbacks, clock, ticks)

    def start(self) -> None:
        """Show what the database holds, and begin to write.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        self._live.update_alerts(self._history.newest_alerts(MAX_ALERTS))
        self._registry.load(self._clock())
        self._batcher.start()

    def stop(self) -> None:
        """Write the queued events, and end the batcher's thread."""
        self._batcher.stop()

    @property
    def written(self) -> int:
        """How many new events were committed."""
        return self._batcher.written

    @property
    def others_are_running(self) -> bool:
        """Whether another dashboard that shares the events is running."""
        try:
            return bool(
                self._shared_as and self._store.count_other_dashboards(self._shared_as, RECENT_S)
            )
        except sa.exc.SQLAlchemyError:
            return False

    def forget(self, *devices: str) -> None:
        """Take devices (at least one) off the list until their next message.

        Raises sqlalchemy.exc.SQLAlchemyError. May be called from any thread.
        """
        self._registry.forget(devices, self._clock())

    def receive(self, received: ReceivedMessage | None) -> None:
        """Take a message from the subscriber; called from the network thread.

        None stands for a message whose topic is not valid UTF-8.
        """
        if received is None:
            self._validator.refuse_topic()
            return
        event, problems = self._registry.receive(received, self._clock())
        for device, text in problems:
            self._add_problem(device, text)
        if event is None:
            received.acknowledge()
        else:
            self._batcher.put(event, received.acknowledge, received.qos)

    def _add_problem(self, device: str, text: str) -> None:
        self._problems.add(device, text, self._ticks())

    def _show_written(self, result: WriteResult) -> None:
        self._on_written()
        self._live.update_alerts(result.alerts)
        for device in self._live.update_lost(result.lost):
            self._add_problem(device, f"{result.lost[device]} events are missing so far")

    def _housekeeping(self) -> None:
        """Do the periodic work; called once a second by the batcher's thread."""
        now_s = self._clock()
        for device, reason in self._live.refresh_devices():
            self._add_problem(device, reason)
        self._live.set_refused(self._validator.refused)
        self._live.set_device_limit_warning(self._registry.warning)
        self._registry.write_returned(now_s)
        if self._shared_as:
            self._synchronise()
        self._on_housekeeping()
        self._store.add_problems(self._problems.take_rows(now_s))
        self._store.add_figures(self._figures.take_rows(self._live.devices()))
        if self._ticks() - self._last_seen_written_ticks_s >= LAST_SEEN_EVERY_S:
            self._last_seen_written_ticks_s = self._ticks()
            self._write_last_seen()

    def _synchronise(self) -> None:
        """Show what other dashboards have written, and report that this one is running."""
        self._registry.read_retired()
        self._store.update_heartbeat(self._shared_as)
        with self._store.show_lock:
            self._live.update_alerts(self._history.recently_updated_alerts(RECENT_S, MAX_ALERTS))
        self._live.update_lost(self._history.lost_events())

    def _write_last_seen(self) -> None:
        devices = self._live.devices()
        self._problems.prune(self._ticks())
        self._figures.prune(device.name for device in devices)
        self._store.update_last_seen(
            {device.name: device.seen_s for device in devices if device.seen_s is not None}
        )
