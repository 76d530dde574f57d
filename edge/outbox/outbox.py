"""Durable queue of events that happened and have not been delivered yet.

Events are kept on disk; while the disk cannot be written they are kept in memory, and they are
written to the disk as soon as it can be written again. Damaged files are set aside under another
name and never deleted. If somebody removes, moves or replaces the file while it is in use, it is
written again from the open file.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.common.backoff import Backoff
from edge.common.clock import Moment, now
from edge.outbox.file_place import special_file
from edge.outbox.memory import Memory
from edge.outbox.merge import Carried, merge
from edge.outbox.numbering import Numbering
from edge.outbox.recovery import (
    discard_rebuilt,
    finish_replacement,
    read_all,
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
        self._memory = Memory(min(MAX_EVENTS_IN_MEMORY, max_events))
        # The identity of the file that was open last, and whether another one may be in its place.
        self._identity: int | None = None
        self._displaced = False
        self._numbering = Numbering(path)
        self._on_disk = 0
        self._dropped_on_disk = 0
        self._backoff, self._retry_at_s = Backoff(FIRST_RETRY_S, MAX_RETRY_S), 0.0
        self._warning = ""
        try:
            self._open()
        except LockedError:
            raise
        except OutboxError as error:
            self._memory.alerts = dict(self._numbering.recorded().alerts)
            self._use_memory(error)

    @property
    def warning(self) -> str:
        """Why events are kept in memory only; empty while they are on the disk."""
        return self._warning

    @property
    def dropped(self) -> int:
        """How many events were ever lost: because of a lack of space, their age, or damage."""
        return self._dropped_on_disk + self._memory.dropped

    def put(self, payload: dict[str, Any]) -> int:
        """Commit an event and return its `seq`, which is greater than all earlier ones."""
        with self._lock:
            at = self._clock()
            self._retry_disk(at)
            event = PendingEvent(0, at, payload)
            stored: list[int] = []
            if not self._try(lambda file: stored.append(self._add(file, event))):
                return self._add_to_memory(event)
            self._on_disk += 1
            if self._on_disk > self._max_events:
                self._try(self._drop_oldest)
            return stored[0]

    def pending(self, after_seq: int, limit: int) -> list[PendingEvent]:
        """Return the oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with self._lock:
            self._retry_disk(self._clock())
            found: list[PendingEvent] = []
            if self._try(lambda file: found.extend(file.pending(after_seq, limit))):
                return found
            if self._memory.not_copied and not self._memory.copies:
                self._copy_from_disk()
            waiting = self._memory.waiting()
            return [waiting[seq] for seq in sorted(waiting) if seq > after_seq][:limit]

    def running(self) -> list[PendingEvent]:
        """Return the start events of alerts that have no end yet.

        The alerts belong to this run, or to an earlier run that a crash or power cut ended.
        """
        with self._lock:
            found: list[PendingEvent] = []
            if self._try(lambda file: found.extend(file.running())):
                return found
            starts = self._memory.all_alerts().values()
            return [start for start in starts if start is not None]

    def remove(self, seq: int) -> None:
        """Delete an event that the broker has acknowledged."""
        with self._lock:
            if self._try(lambda file: file.remove([seq])):
                self._on_disk = max(0, self._on_disk - 1)
            else:
                self._memory.remove(seq)

    def depth(self) -> int:
        """Return how many events wait."""
        with self._lock:
            if self._try(self._count):
                return self._on_disk
            return self._memory.depth()

    def run_maintenance(self) -> None:
        """Drop events that are too old and retry a disk that failed; call this periodically."""
        with self._lock:
            self._retry_disk(self._clock())
            self._try(self._drop_too_old)

    def close(self) -> None:
        """Close the file; the events on the disk stay there."""
        with self._lock:
            self._try(lambda _: None)  # writes it again if it was removed
            if self._file is None:
                self._retry_at_s = 0.0
                self._retry_disk(self._clock())
            if lost := len(self._memory.events):
                log.error("%d events are lost as this process ends: %s", lost, self._warning)
            if self._file is not None:
                self._file.close()
                self._file = None

    # All methods below are called with the lock held.

    def _open(self) -> None:
        """Open the file, recover it if it is damaged, and write the events in memory to it."""
        if self._displaced and special_file(self.path):
            aside = set_aside(self.path, self._clock(), "replaced")
            log.error("%s is not a file; it is set aside as %s", self.path, aside.name)
        finish_replacement(self.path)
        try:
            file = OutboxFile(self.path)
        except DamagedError as error:
            self._recover(error)
            file = OutboxFile(self.path)
        try:
            self._numbering.stored(merge(file, self._carried(file)))
            self._identity = file.identity()
            self._memory.clear()
            self._displaced = False
            self._count(file)
        except OutboxError:
            file.close()
            raise
        file.place.note_own_change()
        self._file = file
        discard_rebuilt(self.path)

    def _carried(self, file: OutboxFile) -> Carried:
        """Return what `file`, which was just opened, may not contain."""
        recorded = self._numbering.recorded()
        alerts = self._memory.all_alerts()
        if self._identity is None and recorded.seq > file.last_seq():
            # An earlier run could not write the file.
            alerts = {**recorded.alerts, **alerts}
        return Carried(
            self._memory.events.values(),
            self._memory.copies.values(),
            self._memory.removed,
            alerts,
            self._memory.dropped + max(0, self._dropped_on_disk - file.dropped()),
            self._numbering.last,
            recorded.seq,
            self._identity,
            self._memory.complete,
        )

    def _take_over(self, file: OutboxFile) -> None:
        """Read the open `file`, to which the path does not lead any more, and write it again.

        Raises OutboxError if it cannot be written; its events are in memory then.
        """
        self._read_displaced(file)
        self._open()

    def _read_displaced(self, file: OutboxFile) -> None:
        """Read everything in the open `file` into memory and close it."""
        saved = read_all(file.database, without=self._memory.removed)
        # SQLite would apply what is left in the log to the file that is in the place now.
        with suppress(OutboxError):
            file.checkpoint()
        file.close()
        self._file = None
        log.warning(
            "the outbox %s was removed, replaced or changed by another program;"
            " its %d events were read from the open file",
            self.path,
            len(saved.events),
        )
        self._displaced = True
        self._memory.take_over(saved)
        self._numbering.last = max(self._numbering.last, saved.last_seq or 0)

    def _recover(self, error: DamagedError) -> None:
        """Replace the damaged file by a new one with its readable events; set the old one aside."""
        at = self._clock()
        saved = salvage(self.path, without=self._memory.removed)
        last_seq = self._numbering.raise_to(saved.last_seq, at, intact=False)
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
            if not self._file.place.is_unchanged():
                self._take_over(self._file)
            action(self._file)
        except OutboxError as error:
            self._use_memory(error)
            return False
        if self._file.place.is_same():
            self._file.place.note_own_change()
            return True
        # Somebody removed the file in the meantime: what `action` wrote is read from the open one.
        try:
            self._take_over(self._file)
        except OutboxError as error:
            self._use_memory(error)
        return True

    def _use_memory(self, error: OutboxError) -> None:
        """Close the file and keep events in memory until the next attempt to use the disk."""
        if self._file is not None and not self._file.place.is_same():
            self._read_displaced(self._file)
        if self._file is not None:
            self._file.close()
            self._file = None
        if not self._warning:
            log.error("%s; events are kept in memory until it can be used", error)
        if not self._memory.complete:
            self._copy_from_disk()
        self._warning = str(error)
        self._retry_at_s = self._clock().boot_s + self._backoff.next_delay_s()

    def _copy_from_disk(self) -> None:
        """Copy waiting events into memory, so that they can be delivered.

        A disk that cannot be written can often still be read.
        """
        known = self._memory.removed | self._memory.events.keys()
        saved = salvage(self.path, MAX_EVENTS_IN_MEMORY, known)
        if None not in (self._identity, saved.identity) and saved.identity != self._identity:
            return  # the file of another outbox is in the place of the one that was open
        self._memory.copy(saved)
        self._numbering.raise_to(saved.last_seq, self._clock())

    def _retry_disk(self, at: Moment) -> None:
        """Try to use the disk again if it failed and the next attempt is due."""
        if self._file is not None or at.boot_s < self._retry_at_s:
            return
        waiting = len(self._memory.events)
        try:
            self._open()
        except OutboxError as error:
            self._use_memory(error)
            return
        if self._warning:
            log.warning("the outbox %s is in use again; %d events saved", self.path, waiting)
        self._warning = ""
        self._backoff.reset()

    def _add(self, file: OutboxFile, event: PendingEvent) -> int:
        """Store `event` under the next number and return that number."""
        seq = self._numbering.last + 1
        file.add([replace(event, seq=seq)])
        self._numbering.stored(seq)
        return seq

    def _add_to_memory(self, event: PendingEvent) -> int:
        """Keep `event` in memory under the next number and return that number."""
        self._memory.note_alert(replace(event, seq=self._numbering.last + 1))
        seq = self._numbering.next_in_memory(event.committed, self._memory.alerts)
        self._memory.add(replace(event, seq=seq))
        return seq

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
