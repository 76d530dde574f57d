"""Durable queue of events that happened and have not been delivered yet.

Events are kept on disk; while the disk cannot be written they are kept in memory, and they are
written to the disk as soon as it can be written again. Damaged files are set aside under another
name and never deleted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edge.common.backoff import Backoff
from edge.common.clock import Moment, now
from edge.outbox.recovery import (
    discard_rebuilt,
    finish_replacement,
    rebuild,
    salvage,
    set_aside,
)
from edge.outbox.sqlite_file import OutboxFile
from edge.outbox.tables import DamagedError, LockedError, OutboxError, PendingEvent

log = logging.getLogger(__name__)

#: Number of events that are kept in memory while the disk fails; each event takes about a kilobyte.
MAX_EVENTS_IN_MEMORY = 10_000
#: The first and the longest delay between attempts to use the disk again, in seconds.
FIRST_RETRY_S, MAX_RETRY_S = 5.0, 300.0
DAY_S = 86_400.0


class Outbox:
    """A queue of events that survives restarts, power cuts and failing disks.

    When `put` returns, the event is on the disk, or it is in memory and `warning` says why. All
    methods may be called from any thread and raise nothing once the outbox is open.
    """

    def __init__(
        self,
        path: Path,
        max_events: int,
        max_age_days: float = 30.0,
        clock: Callable[[], Moment] = now,
    ) -> None:
        """Open or create `path`.

        If more than `max_events` wait, the oldest are dropped; so are events that are older than
        `max_age_days`.

        Raises only LockedError, when another process uses the file: two daemons with the same
        file would assign the same numbers. `warning` describes any other problem.
        """
        self.path = path
        self._max_events = max_events
        self._max_age_s = max_age_days * DAY_S
        self._clock = clock
        self._lock = threading.Lock()
        self._file: OutboxFile | None = None
        # Events that are in memory only.
        self._memory: dict[int, PendingEvent] = {}
        # Copies of events on a disk that cannot be written.
        self._copies: dict[int, PendingEvent] = {}
        # How many events on a disk that cannot be written were not copied, because
        # MAX_EVENTS_IN_MEMORY was reached.
        self._not_copied = 0
        # Events that were acknowledged and have yet to be deleted from the disk.
        self._removed: set[int] = set()
        self._last_seq = 0
        self._on_disk = 0
        self._dropped_on_disk = 0
        # Number of lost events that is not yet stored in the file.
        self._dropped = 0
        self._backoff, self._retry_at_s = Backoff(FIRST_RETRY_S, MAX_RETRY_S), 0.0
        self._warning = ""
        try:
            self._open()
        except LockedError:
            raise
        except OutboxError as error:
            self._use_memory(error)

    @property
    def warning(self) -> str:
        """Why events are kept in memory only; empty while they are on the disk."""
        return self._warning

    @property
    def dropped(self) -> int:
        """How many events were ever lost: because of a lack of space, their age, or damage."""
        return self._dropped_on_disk + self._dropped

    def put(self, payload: dict[str, Any]) -> int:
        """Commit an event and return its `seq`, which is greater than all earlier ones."""
        with self._lock:
            at = self._clock()
            self._retry_disk(at)
            self._last_seq += 1
            event = PendingEvent(self._last_seq, at, payload)
            if not self._try(lambda file: file.add([event])):
                self._add_to_memory([event])
            else:
                self._on_disk += 1
                if self._on_disk > self._max_events:
                    self._try(self._drop_oldest)
            return event.seq

    def pending(self, after_seq: int, limit: int) -> list[PendingEvent]:
        """Return the oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with self._lock:
            self._retry_disk(self._clock())
            found: list[PendingEvent] = []
            if self._try(lambda file: found.extend(file.pending(after_seq, limit))):
                return found
            if self._not_copied and not self._copies:
                self._copy_from_disk()
            # Events in memory are newer, so they wait until all events on the disk were copied.
            waiting = self._copies if self._not_copied else {**self._copies, **self._memory}
            return [waiting[seq] for seq in sorted(waiting) if seq > after_seq][:limit]

    def running(self) -> list[PendingEvent]:
        """Return the start events of alerts that have no end yet.

        The alerts belong to this run, or to an earlier run that a crash or power cut ended.
        """
        with self._lock:
            found: list[PendingEvent] = []
            self._try(lambda file: found.extend(file.running()))
            return found

    def remove(self, seq: int) -> None:
        """Delete an event that the broker has acknowledged."""
        with self._lock:
            if self._try(lambda file: file.remove([seq])):
                self._on_disk = max(0, self._on_disk - 1)
            elif self._memory.pop(seq, None) is None:
                self._copies.pop(seq, None)
                self._removed.add(seq)

    def depth(self) -> int:
        """Return how many events wait."""
        with self._lock:
            if self._try(self._count):
                return self._on_disk
            return len(self._copies.keys() | self._memory.keys()) + self._not_copied

    def run_maintenance(self) -> None:
        """Drop events that are too old and retry a disk that failed; call this periodically."""
        with self._lock:
            self._retry_disk(self._clock())
            self._try(self._drop_too_old)

    def close(self) -> None:
        """Close the file; the events on the disk stay there."""
        with self._lock:
            if self._file is None:
                self._retry_at_s = 0.0
                self._retry_disk(self._clock())
            if self._memory:
                log.error(
                    "%d events are lost as this process ends: %s", len(self._memory), self._warning
                )
            if self._file is not None:
                self._file.close()
                self._file = None

    # All methods below are called with the lock held.

    def _open(self) -> None:
        """Open the file, recover it if it is damaged, and write the events in memory to it."""
        finish_replacement(self.path)
        try:
            file = OutboxFile(self.path)
        except DamagedError as error:
            self._recover(error)
            file = OutboxFile(self.path)
        try:
            if (last_seq := file.last_seq()) < self._last_seq:
                file.set_last_seq(self._last_seq)
            self._last_seq = max(self._last_seq, last_seq)
            file.add(self._memory.values(), self._dropped)
            file.remove(self._removed)
            self._memory.clear()
            self._copies.clear()
            self._not_copied = 0
            self._removed.clear()
            self._dropped = 0
            self._count(file)
        except OutboxError:
            file.close()
            raise
        self._file = file
        discard_rebuilt(self.path)

    def _recover(self, error: DamagedError) -> None:
        """Replace the damaged file by a new one with its readable events; set the old one aside."""
        at = self._clock()
        saved = salvage(self.path, without=self._removed)
        last_seq = self._safe_last_seq(saved.last_seq, at)
        rebuild(self.path, saved, last_seq)
        aside = set_aside(self.path, at)
        finish_replacement(self.path)
        log.error(
            "%s; it is set aside as %s, %d events were saved from it, %d could not be;"
            " events are numbered from %d",
            error,
            aside.name,
            len(saved.events),
            saved.damaged,
            last_seq + 1,
        )

    def _try(self, action: Callable[[OutboxFile], None]) -> bool:
        """Call `action` with the file; return False if it fails, after switching to memory."""
        if self._file is None:
            return False
        try:
            action(self._file)
        except OutboxError as error:
            self._use_memory(error)
            return False
        return True

    def _use_memory(self, error: OutboxError) -> None:
        """Close the file and keep events in memory until the next attempt to use the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if not self._warning:
            log.error("%s; events are kept in memory until it can be used", error)
        self._copy_from_disk()
        self._warning = str(error)
        self._retry_at_s = self._clock().boot_s + self._backoff.next_delay_s()

    def _copy_from_disk(self) -> None:
        """Copy waiting events into memory, so that they can be delivered.

        A disk that cannot be written can often still be read.
        """
        saved = salvage(self.path, MAX_EVENTS_IN_MEMORY, self._removed | self._memory.keys())
        self._copies = {event.seq: event for event in saved.events}
        self._not_copied = saved.beyond_limit
        self._last_seq = self._safe_last_seq(saved.last_seq, self._clock())

    def _safe_last_seq(self, stored: int | None, at: Moment) -> int:
        """Return a number that is at least the highest `seq` ever assigned.

        `stored` is the highest number that the file contains, None if that is lost. If no number
        is known at all, return the seconds since 1970, which no real count of events reaches.
        """
        if stored is None and not self._last_seq:
            return int(at.utc_s)
        return max(stored or 0, self._last_seq)

    def _retry_disk(self, at: Moment) -> None:
        """Try to use the disk again if it failed and the next attempt is due."""
        if self._file is not None or at.boot_s < self._retry_at_s:
            return
        waiting = len(self._memory)
        try:
            self._open()
        except OutboxError as error:
            self._use_memory(error)
            return
        if self._warning:
            log.warning("the outbox %s is in use again; %d events saved", self.path, waiting)
        self._warning = ""
        self._backoff.reset()

    def _add_to_memory(self, events: Iterable[PendingEvent]) -> None:
        for event in events:
            self._memory[event.seq] = event
        while len(self._memory) > min(MAX_EVENTS_IN_MEMORY, self._max_events):
            del self._memory[min(self._memory)]
            self._dropped += 1

    def _drop_oldest(self, file: OutboxFile) -> None:
        if dropped := file.keep_newest(self._max_events):
            log.warning(
                "%d events were dropped undelivered: more than %d were waiting",
                dropped,
                self._max_events,
            )
        self._count(file)

    def _drop_too_old(self, file: OutboxFile) -> None:
        if dropped := file.drop_older_than(self._max_age_s, self._clock()):
            log.warning("%d events were dropped undelivered: they are too old", dropped)
        self._count(file)

    def _count(self, file: OutboxFile) -> None:
        self._on_disk, self._dropped_on_disk = file.depth(), file.dropped()
