"""Writing events to the history in batches: one transaction for many events reduces disk writes."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.store import HistoryStore, WriteResult

log = logging.getLogger(__name__)

MAX_IN_BATCH = 500
#: While this many events wait, further events that need no acknowledgement are dropped, so that
#: memory stays bounded. The broker limits the number of unacknowledged events (RECEIVE_MAXIMUM).
MAX_WAITING = 20_000
#: After a batch smaller than SMALL_BATCH, the next batch collects events for this long.
GATHER_S, SMALL_BATCH = 0.05, 20
RETRY_S = 1.0
HOUSEKEEPING_EVERY_S = 1.0
STOP_TIMEOUT_S = 10.0

QueuedEvent = tuple[EventMessage, Callable[[], None]]


@dataclass(frozen=True)
class BatcherCallbacks:
    """The functions that the batcher calls, all from its own thread."""

    #: A batch was committed.
    written: Callable[[WriteResult], None]
    #: The database rejected this event; the other events of the batch are not affected.
    refused: Callable[[EventMessage, Exception], None]
    #: The reason why events cannot be written at the moment; empty if they can be written.
    storage_error: Callable[[str], None]
    #: Called once a second; may raise any exception.
    housekeeping: Callable[[], None]


class EventBatcher:
    """Writes queued events, in a thread of its own; nothing else writes events."""

    def __init__(
        self,
        store: HistoryStore,
        callbacks: BatcherCallbacks,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare an empty queue.

        `clock` gives seconds since the epoch; `ticks` is a monotonic clock in seconds.
        """
        self._store = store
        self._callbacks = callbacks
        self._clock = clock
        self._ticks = ticks
        self._waiting: queue.SimpleQueue[QueuedEvent | None] = queue.SimpleQueue()
        self._housekeeping_done_ticks_s = -math.inf
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        #: How many new events were committed.
        self.written = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write the queued events, and end the thread."""
        self._stopped.set()
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)

    def put(self, event: EventMessage, acknowledge: Callable[[], None], qos: int) -> None:
        """Queue an event; `acknowledge` is called when the event is committed or rejected.

        An event of QoS 0, which the broker does not send again anyway, is dropped when MAX_WAITING
        events wait. May be called from any thread.
        """
        if qos or self._waiting.qsize() < MAX_WAITING:
            self._waiting.put((event, acknowledge))

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if not self._stopped.is_set():
                self._callbacks.storage_error("alerts are no longer stored: restart the dashboard")

    def _work(self) -> None:
        while not self._stopped.is_set() or not self._waiting.empty():
            batch = self._next_batch()
            if batch:
                self._write(batch)
                if len(batch) < SMALL_BATCH:
                    self._stopped.wait(GATHER_S)
            if self._ticks() - self._housekeeping_done_ticks_s >= HOUSEKEEPING_EVERY_S:
                self._housekeeping_done_ticks_s = self._ticks()
                self._do_housekeeping()

    def _do_housekeeping(self) -> None:
        try:
            self._callbacks.housekeeping()
            self._callbacks.storage_error("")
        except sa.exc.SQLAlchemyError as error:
            self._report_storage_error(error)
        except Exception:  # an error here must not end the thread that writes the events
            log.exception("the dashboard's housekeeping failed")

    def _next_batch(self) -> list[QueuedEvent]:
        batch: list[QueuedEvent] = []
        try:
            item = self._waiting.get(timeout=HOUSEKEEPING_EVERY_S / 2)
            while item is not None:
                batch.append(item)
                if len(batch) >= MAX_IN_BATCH:
                    break
                item = self._waiting.get_nowait()
        except queue.Empty:
            pass
        return batch

    def _write(self, batch: list[QueuedEvent]) -> None:
        """Commit the batch, retrying while the database fails."""
        events = [event for event, _ in batch]
        while True:
            with self._store.show_lock:
                try:
                    result = self._store.write_events(events, self._clock())
                except Exception as failure:
                    error = failure
                else:
                    for _, acknowledge in batch:
                        acknowledge()
                    self.written += result.new
                    self._callbacks.written(result)
                    return
            if not is_transient(error):
                self._bisect(batch, error)
                return
            self._report_storage_error(error)
            if self._stopped.wait(RETRY_S):
                return  # The broker sends unacknowledged events again.

    def _bisect(self, batch: list[QueuedEvent], error: Exception) -> None:
        """Write the batch in ever smaller parts; skip only the event that the database rejects."""
        if len(batch) > 1:
            half = len(batch) // 2
            self._write(batch[:half])
            self._write(batch[half:])
            return
        ((event, acknowledge),) = batch
        self._callbacks.refused(event, error)
        acknowledge()  # Otherwise the broker would send the event again and again.

    def _report_storage_error(self, error: Exception) -> None:
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()
        message = f"alerts cannot be stored: {cause[0] if cause else 'the database fails'}"
        log.error("%s", message)
        self._callbacks.storage_error(message)


def is_transient(error: Exception) -> bool:
    """Return whether a retry may succeed: the database failed, and did not reject the data."""
    data = isinstance(error, sa.exc.DataError | sa.exc.IntegrityError)
    return isinstance(error, sa.exc.SQLAlchemyError | OSError | MemoryError) and not data
