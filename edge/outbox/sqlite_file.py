"""The outbox's file: an SQLite database that reports when it is damaged.

A commit is on the disk when the call returns (write-ahead log, synchronous=FULL), and the
write-ahead log is copied into the database at once (a checkpoint). SQLite treats a damaged end of
a log as if it had never been written, and would lose those commits silently.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.common.clock import Moment
from edge.common.file_access import access_problem
from edge.common.paths import make_private
from edge.outbox.event_age import oldest_kept_s
from edge.outbox.file_place import FilePlace, files_of, special_file
from edge.outbox.tables import (
    COLUMNS,
    IDENTITY,
    MAX_SEQ,
    SCHEMA,
    DamagedError,
    LockedError,
    OutboxError,
    PendingEvent,
    columns_of,
    event_of,
    highest_seq,
    identity,
    row_of,
    upgrade_columns,
)

#: One page of the smallest size, so no database is smaller (sqlite.org/fileformat.html).
MIN_BYTES = 512
#: Bits of an identity: SQLite's integers have 64 bits and a sign.
IDENTITY_BITS = 62
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


class OutboxFile:
    """Events in an SQLite file, for one process and one thread at a time.

    All methods but `close` raise OutboxError when the disk fails, DamagedError when the
    file is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open or create `path` and check all of its content.

        Raises OutboxError, DamagedError, or LockedError.
        """
        self.path = path
        existed = path.exists()
        if special := special_file(path):
            raise OutboxError(
                f"cannot use the outbox {path}: {special} is not a regular file; remove it"
            )
        with _translated_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size < MIN_BYTES:
                # SQLite would silently create a new database in such a file.
                raise DamagedError(f"the outbox {path} is truncated")
            for file in files_of(path):
                make_private(file)
            self._db = sqlite3.connect(
                path, timeout=0.2, isolation_level=None, check_same_thread=False
            )
        try:
            # Every statement in `_prepare` is valid, so SQLITE_ERROR also means damage here.
            with _translated_errors(path, (*DAMAGE_CODES, sqlite3.SQLITE_ERROR)):
                self._prepare()
            #: Where the file is; see `FilePlace`.
            self.place = FilePlace(path)
        except OutboxError:
            self.close()
            if not existed:
                _remove_empty(path)
            raise

    def add(self, events: Iterable[PendingEvent], dropped: int = 0) -> None:
        """Commit `events`, replacing those with the same `seq`.

        `dropped` is added to the number of lost events.
        """
        with self.transaction():
            for event in events:
                self._db.execute(
                    f"INSERT OR REPLACE INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row_of(event),
                )
                self._update_running(event)
            self._add_to_dropped(dropped)
        if not self._db.in_transaction:
            # The events are committed; if this checkpoint fails, the next one includes them.
            with suppress(OutboxError):
                self.checkpoint()

    def pending(self, after_seq: int, limit: int) -> list[PendingEvent]:
        """Return the oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with _translated_errors(self.path):
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
                (after_seq, limit),
            ).fetchall()
        return [event_of(row) for row in rows]

    def running(self) -> list[PendingEvent]:
        """Return the start events of alerts whose end was not committed, in order."""
        with _translated_errors(self.path):
            rows = self._db.execute(f"SELECT {COLUMNS} FROM running ORDER BY seq").fetchall()
        return [event_of(row) for row in rows]

    def restore_running(self, events: Iterable[PendingEvent]) -> None:
        """Add the start events of alerts without an end, which a damaged file still contained."""
        with self.transaction():
            for event in events:
                self._update_running(event)

    def end_running(self, ids: Iterable[str]) -> None:
        """Delete the start events of alerts that have ended."""
        with self.transaction():
            self._db.executemany("DELETE FROM running WHERE id = ?", [(id_,) for id_ in ids])

    def remove(self, seqs: Iterable[int]) -> None:
        """Delete the events with these numbers."""
        with self.transaction():
            self._db.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in seqs])

    def keep_newest(self, count: int) -> int:
        """Delete the oldest events beyond `count` and return how many were deleted.

        The deleted events are added to the number of lost events.
        """
        with self.transaction():
            return self._drop(
                "DELETE FROM events WHERE seq <= (SELECT seq FROM events"
                " ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (count,),
            )

    def drop_older_than(self, max_age_s: float, at: Moment) -> int:
        """Delete the events known to be older than `max_age_s`; return how many were deleted.

        The deleted events are added to the number of lost events. Where the clock was not set,
        the age is not known, and the event is kept; see `edge.outbox.event_age`.
        """
        with self.transaction():
            rows = self._db.execute(
                "SELECT utc_s, synced, boot, boot_s, max(seq) FROM events"
                " WHERE synced AND boot NOT IN ('', ?) GROUP BY boot ORDER BY max(seq)",
                (at.boot,),
            )
            earlier = [Moment(utc_s, True, boot.decode(), s) for utc_s, _, boot, s, _ in rows]
            dropped = self._drop(
                "DELETE FROM events WHERE boot <> '' AND boot = ? AND boot_s < ?",
                (at.boot, at.boot_s - max_age_s),
            )
            for boot, kept_s in oldest_kept_s(earlier, at, max_age_s).items():
                dropped += self._drop(
                    "DELETE FROM events WHERE synced AND boot = ? AND boot_s < ?", (boot, kept_s)
                )
            return dropped

    def depth(self) -> int:
        """Return how many events wait."""
        with _translated_errors(self.path):
            return int(self._db.execute("SELECT count(*) FROM events").fetchone()[0])

    def dropped(self) -> int:
        """Return how many events were ever lost: because of space, their age, or damage."""
        with _translated_errors(self.path):
            row = self._db.execute("SELECT value FROM counts WHERE name = 'dropped'").fetchone()
        return int(row[0]) if row else 0

    def last_seq(self) -> int:
        """Return the highest `seq` ever assigned, 0 before the first."""
        with _translated_errors(self.path):
            return highest_seq(self._db) or 0

    def set_last_seq(self, seq: int) -> None:
        """Store `seq` as the highest number ever assigned."""
        with self.transaction():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (seq,))

    def identity(self) -> int:
        """Return the random number that tells this outbox from all others."""
        with _translated_errors(self.path):
            return identity(self._db) or 0

    def set_identity(self, number: int) -> None:
        """Make this file a copy of the outbox with the identity `number`."""
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (IDENTITY, number))

    @property
    def database(self) -> sqlite3.Connection:
        """The open connection."""
        return self._db

    def checkpoint(self) -> None:
        """Copy everything from the write-ahead log into the file itself.

        Raises OutboxError when the disk has no room for it.
        """
        with _translated_errors(self.path):
            busy, left, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy or left:
            raise OutboxError(f"cannot write all of the outbox {self.path}")

    def close(self) -> None:
        """Close the file; waiting events stay in it."""
        with suppress(sqlite3.Error):
            self._db.close()

    def _prepare(self) -> None:
        # Text that is not valid UTF-8 is damage as well; `event_of` decodes it and reports that.
        self._db.text_factory = bytes
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            is_new = not columns_of(self._db)
            upgrade_columns(self._db)
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
            if is_new:
                # A file without this entry is damaged then, also if no event is in it.
                self.set_last_seq(0)
                self.set_identity(secrets.randbits(IDENTITY_BITS))
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0].decode(errors="replace")
        if verdict != "ok":
            raise DamagedError(f"the outbox {self.path} is damaged: {verdict.splitlines()[-1]}")
        self._check_last_seq()
        for table in ("events", "running"):
            for row in self._db.execute(f"SELECT {COLUMNS} FROM {table}"):
                event_of(row)
        if identity(self._db) is None:  # a file of an earlier version
            with self.transaction():
                self.set_last_seq(self.last_seq())
                self.set_identity(secrets.randbits(IDENTITY_BITS))

    def _check_last_seq(self) -> None:
        """Raise DamagedError if the stored highest number cannot be right.

        Only the table of events has an entry in sqlite_sequence, so another name is damage.
        """
        last_seq = highest_seq(self._db)
        if last_seq is None:
            last_seq = 0 if identity(self._db) is None else -1
        max_event = self._db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        others = self._db.execute("SELECT count(*) FROM sqlite_sequence WHERE name IS NOT 'events'")
        if not max_event <= last_seq <= MAX_SEQ or others.fetchone()[0]:
            raise DamagedError(
                f"the outbox {self.path} is damaged: its highest event number is not possible"
            )

    def _update_running(self, event: PendingEvent) -> None:
        """Add a start event to the table `running`, or delete the entry when the alert ends.

        This happens in the same transaction as the event itself: otherwise a power cut could
        leave an alert running for ever.
        """
        episode = event.payload.get("id")
        if event.payload.get("event_type") == "no_mask_start":
            self._db.execute(
                f"INSERT OR REPLACE INTO running (id, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (episode, *row_of(event)),
            )
        elif event.payload.get("event_type") == "no_mask_end":
            self._db.execute("DELETE FROM running WHERE id = ?", (episode,))

    def _drop(self, statement: str, values: tuple[Any, ...]) -> int:
        dropped = max(0, self._db.execute(statement, values).rowcount)
        self._add_to_dropped(dropped)
        return dropped

    def _add_to_dropped(self, dropped: int) -> None:
        if dropped:
            self._db.execute(
                "INSERT INTO counts VALUES ('dropped', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (dropped,),
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside the context together; a transaction inside another joins it."""
        with _translated_errors(self.path):
            if self._db.in_transaction:
                yield
                return
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield


def _remove_empty(path: Path) -> None:
    """Remove the empty file that is left when a database is created on a full disk.

    The next start would treat it as a damaged database.
    """
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


@contextmanager
def _translated_errors(path: Path, damage: tuple[int, ...] = DAMAGE_CODES) -> Iterator[None]:
    """Raise errors of SQLite and the system as OutboxError, DamagedError or LockedError.

    `damage` are the error codes of SQLite that mean a damaged file.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if primary in damage:
            raise DamagedError(f"the outbox {path} is damaged: {error}") from None
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LockedError(
                f"cannot use the outbox {path}: another mask-patrol is using it"
            ) from None
        reason = access_problem(files_of(path)) or getattr(error, "strerror", None) or error
        raise OutboxError(f"cannot use the outbox {path}: {reason}") from None
    except UnicodeDecodeError:
        raise DamagedError(
            f"the outbox {path} is damaged: names in it are not valid UTF-8"
        ) from None
