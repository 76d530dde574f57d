"""Durable queue of events: what is in it has happened and was not yet delivered.

On disk as long as the disk lets us, in memory while it does not, and back on the disk as
soon as it can be written again. Damaged files are set aside, never deleted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edge.common.backoff import Backoff
from edge.common.clock import Moment, now
from edge.outbox.recovery import discard, rebuilt, salvage, set_aside, taken_up
from edge.outbox.sqlite_file import (
    DamagedError,
    LockedError,
    OutboxError,
    OutboxFile,
    Pending,
)

log = logging.getLogger(__name__)

#: Events that wait in memory while the disk fails: each takes about a kilobyte.
MEMORY_EVENTS = 10_000
#: Waits between attempts to use the disk again double from the first to the last.
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 300.0
DAY_S = 86_400.0


class Outbox:
    """Every `put` is on the disk when it returns, or counted as being in memory only.

    All methods may be called from any thread and raise nothing once the outbox is open.
    """

    def __init__(
        self,
        path: Path,
        max_events: int,
        max_age_days: float = 30.0,
        clock: Callable[[], Moment] = now,
    ) -> None:
        """Open or create `path`; beyond `max_events` the oldest event gives way, and so does
        what is older than `max_age_days`.

        Raises LockedError only, when another process uses the file: two daemons of one name
        would give out the same numbers. Any other trouble is told by `warning`.
        """
        self.path = path
        self._max_events = max_events
        self._max_age_s = max_age_days * DAY_S
        self._clock = clock
        self._lock = threading.Lock()
        self._file: OutboxFile | None = None
        self._memory: dict[int, Pending] = {}  # what is nowhere else
        self._copies: dict[int, Pending] = {}  # of what lies on a disk that fails
        self._more = 0  # events on that disk for which there is no room here
        self._removed: set[int] = set()  # acknowledged, and still to be taken from the disk
        self._last_seq = 0
        self._on_disk = 0
        self._dropped_on_disk = 0
        self._dropped = 0  # … and not yet counted on the disk
        self._backoff, self._retry_at_s = Backoff(FIRST_RETRY_S, LAST_RETRY_S), 0.0
        self._warning = ""
        try:
            self._open()
        except LockedError:
            raise
        except OutboxError as error:
            self._do_without(error)

    @property
    def warning(self) -> str:
        """Why events are in memory only; empty while they are on the disk."""
        return self._warning

    @property
    def dropped(self) -> int:
        """How many events were ever lost: for want of room, for their age, to damage."""
        return self._dropped_on_disk + self._dropped

    def put(self, payload: dict[str, Any]) -> int:
        """Commit an event; returns its `seq`, greater than any before."""
        with self._lock:
            at = self._clock()
            self._tend(at)
            self._last_seq += 1
            event = Pending(self._last_seq, at, payload)
            if not self._try(lambda file: file.add([event])):
                self._remember([event])
            else:
                self._on_disk += 1
                if self._on_disk > self._max_events:
                    self._try(self._drop_oldest)
            return event.seq

    def pending(self, after_seq: int, limit: int) -> list[Pending]:
        """The oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with self._lock:
            self._tend(self._clock())
            found: list[Pending] = []
            if self._try(lambda file: found.extend(file.pending(after_seq, limit))):
                return found
            if self._more and not self._copies:
                self._read_what_waits()
            # What is newer waits until all that is older has been read from the disk.
            waiting = self._copies if self._more else {**self._copies, **self._memory}
            return [waiting[seq] for seq in sorted(waiting) if seq > after_seq][:limit]

    def running(self) -> list[Pending]:
        """The starts of episodes that have no end: of this run, or of one that was cut off."""
        with self._lock:
            found: list[Pending] = []
            self._try(lambda file: found.extend(file.running()))
            return found

    def remove(self, seq: int) -> None:
        """Forget an event that the broker has acknowledged."""
        with self._lock:
            if self._try(lambda file: file.remove([seq])):
                self._on_disk = max(0, self._on_disk - 1)
            elif self._memory.pop(seq, None) is None:
                self._copies.pop(seq, None)
                self._removed.add(seq)

    def depth(self) -> int:
        """How many events wait."""
        with self._lock:
            if self._try(self._count):
                return self._on_disk
            return len(self._copies.keys() | self._memory.keys()) + self._more

    def tend(self) -> None:
        """What has to be done now and then: drop what is too old, try a disk that failed."""
        with self._lock:
            self._tend(self._clock())
            self._try(self._drop_too_old)

    def close(self) -> None:
        """Close the file; what waits on the disk stays there."""
        with self._lock:
            if self._file is None:
                self._retry_at_s = 0.0
                self._tend(self._clock())
            if self._memory:
                log.error(
                    "%d events are lost with this process: %s", len(self._memory), self._warning
                )
            if self._file is not None:
                self._file.close()
                self._file = None

    # Everything below is called with the lock held.

    def _open(self) -> None:
        """Open the file, healed where it is damaged, and bring to it what waits in memory."""
        taken_up(self.path)
        try:
            file = OutboxFile(self.path)
        except DamagedError as error:
            self._heal(error)
            file = OutboxFile(self.path)
        try:
            if (known := file.last_seq()) < self._last_seq:
                file.number_from(self._last_seq)
            self._last_seq = max(self._last_seq, known)
            file.add(self._memory.values(), self._dropped)
            file.remove(self._removed)
            self._memory.clear()
            self._copies.clear()
            self._more = 0
            self._removed.clear()
            self._dropped = 0
            self._count(file)
        except OutboxError:
            file.close()
            raise
        self._file = file
        discard(self.path)

    def _heal(self, error: DamagedError) -> None:
        """Rebuild the file from whatever the damaged one still tells, which is set aside."""
        at = self._clock()
        saved = salvage(self.path, without=self._removed)
        last = self._beyond(saved.last_seq, at)
        rebuilt(self.path, saved, last)
        aside = set_aside(self.path, at)
        taken_up(self.path)
        log.error(
            "%s; it is set aside as %s, %d events were saved from it, %d could not be;"
            " events are numbered from %d",
            error,
            aside.name,
            len(saved.events),
            saved.damaged,
            last + 1,
        )

    def _try(self, work: Callable[[OutboxFile], None]) -> bool:
        """Do something with the file; False when it fails, and then we do without it."""
        if self._file is None:
            return False
        try:
            work(self._file)
        except OutboxError as error:
            self._do_without(error)
            return False
        return True

    def _do_without(self, error: OutboxError) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if not self._warning:
            log.error("%s; events are kept in memory until it can be used", error)
        self._read_what_waits()
        self._warning = str(error)
        self._retry_at_s = self._clock().boot_s + self._backoff.next_delay_s()

    def _read_what_waits(self) -> None:
        """A disk that cannot be written can often be read: what waits there goes out still."""
        saved = salvage(self.path, MEMORY_EVENTS, self._removed | self._memory.keys())
        self._copies = {event.seq: event for event in saved.events}
        self._more = saved.more
        self._last_seq = self._beyond(saved.last_seq, self._clock())

    def _beyond(self, told: int | None, at: Moment) -> int:
        """Never a number twice: where the count is lost, seconds since 1970 are beyond it."""
        if told is None and not self._last_seq:
            return int(at.utc_s)
        return max(told or 0, self._last_seq)

    def _tend(self, at: Moment) -> None:
        """Use the disk again once it can be written."""
        if self._file is not None or at.boot_s < self._retry_at_s:
            return
        waiting = len(self._memory)
        try:
            self._open()
        except OutboxError as error:
            self._do_without(error)
            return
        if self._warning:
            log.warning("the outbox %s is in use again; %d events saved", self.path, waiting)
        self._warning = ""
        self._backoff.reset()

    def _remember(self, events: Iterable[Pending]) -> None:
        for event in events:
            self._memory[event.seq] = event
        while len(self._memory) > min(MEMORY_EVENTS, self._max_events):
            del self._memory[min(self._memory)]
            self._dropped += 1

    def _drop_oldest(self, file: OutboxFile) -> None:
        if dropped := file.keep_newest(self._max_events):
            log.warning("%d events were dropped undelivered: more than fit wait", dropped)
        self._count(file)

    def _drop_too_old(self, file: OutboxFile) -> None:
        if dropped := file.drop_older_than(self._max_age_s, self._clock()):
            log.warning("%d events were dropped undelivered: they are too old", dropped)
        self._count(file)

    def _count(self, file: OutboxFile) -> None:
        self._on_disk, self._dropped_on_disk = file.depth(), file.dropped()
