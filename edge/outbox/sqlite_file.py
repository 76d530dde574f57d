"""The outbox's file: an SQLite database that says when it is damaged.

A commit is on the disk when the call returns (write-ahead log, synchronous=FULL), and the
log is folded into the database at once: SQLite takes a damaged tail of a log for one that
was never written, and would forget commits without a word.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.common.clock import Moment
from edge.common.errors import UserError

#: Higher than any honest count of events will ever be, and exact in every JSON reader.
MAX_SEQ = 2**53
#: A page, the least that a database takes (sqlite.org/fileformat.html).
MIN_BYTES = 512
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
# AUTOINCREMENT keeps the highest number ever given, also when the table is empty:
# `seq` counts up for ever and a gap in it shows a loss.
ROW = """utc_s REAL NOT NULL, synced INTEGER NOT NULL, boot TEXT NOT NULL, boot_s REAL NOT NULL,
    payload TEXT NOT NULL, crc INTEGER"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, {ROW});
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS running (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, {ROW});
"""
COLUMNS = "seq, utc_s, synced, boot, boot_s, payload, crc"


class OutboxError(UserError):
    """The outbox cannot be read or written: the disk is full, read-only or broken."""


class DamagedError(OutboxError):
    """The file is not what was written to it."""


class LockedError(OutboxError):
    """Another process uses the file."""


@dataclass(frozen=True)
class Pending:
    """An event that waits for the broker's acknowledgement, and when it was committed."""

    seq: int
    committed: Moment
    payload: dict[str, Any]


class OutboxFile:
    """Events in an SQLite file, for one process and one thread at a time.

    All methods but `close` raise OutboxError when the disk fails, DamagedError when the
    file is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open or create `path` and check all of it; raises also LockedError."""
        self.path = path
        existed = path.exists()
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size < MIN_BYTES:
                # SQLite would begin a new one there without a word.
                raise DamagedError(f"the outbox {path} is cut off")
            self._db = sqlite3.connect(
                path, timeout=0.2, isolation_level=None, check_same_thread=False
            )
        try:
            # Nothing that is asked of it here is wrong, unless the file is.
            with _told(path, (*DAMAGE, sqlite3.SQLITE_ERROR)):
                self._prepare()
        except OutboxError:
            self.close()
            if not existed:
                _unmake(path)
            raise

    def add(self, events: Iterable[Pending], dropped: int = 0) -> None:
        """Commit `events`, replacing those of the same `seq`; count `dropped` more lost."""
        with self._transaction():
            for event in events:
                self._db.execute(
                    f"INSERT OR REPLACE INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    _row(event),
                )
                self._keep_what_runs(event)
            self._count_dropped(dropped)
        with suppress(sqlite3.Error):  # it is committed; the log is folded in next time
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def pending(self, after_seq: int, limit: int) -> list[Pending]:
        """The oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with _told(self.path):
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
                (after_seq, limit),
            ).fetchall()
        return [pending_of(row) for row in rows]

    def running(self) -> list[Pending]:
        """The starts of episodes whose end was not committed, in order."""
        with _told(self.path):
            rows = self._db.execute(f"SELECT {COLUMNS} FROM running ORDER BY seq").fetchall()
        return [pending_of(row) for row in rows]

    def remove(self, seqs: Iterable[int]) -> None:
        """Forget events."""
        with self._transaction():
            self._db.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in seqs])

    def keep_newest(self, count: int) -> int:
        """Drop the oldest beyond `count`, and count them; how many these were."""
        with self._transaction():
            return self._dropped_by(
                "DELETE FROM events WHERE seq <= (SELECT seq FROM events"
                " ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (count,),
            )

    def drop_older_than(self, max_age_s: float, at: Moment) -> int:
        """Drop what is known to be older, and count it; how many these were.

        See `edge.common.clock.age_s`: where the clock was wrong, nothing is known.
        """
        with self._transaction():
            return self._dropped_by(
                "DELETE FROM events WHERE CASE WHEN boot <> '' AND boot = ? THEN boot_s < ?"
                " ELSE synced AND ? AND utc_s < ? END",
                (at.boot, at.boot_s - max_age_s, at.synced, at.utc_s - max_age_s),
            )

    def depth(self) -> int:
        """How many events wait."""
        with _told(self.path):
            return int(self._db.execute("SELECT count(*) FROM events").fetchone()[0])

    def dropped(self) -> int:
        """How many were ever lost for want of room or for their age."""
        with _told(self.path):
            row = self._db.execute("SELECT value FROM counts WHERE name = 'dropped'").fetchone()
        return int(row[0]) if row else 0

    def last_seq(self) -> int:
        """The highest `seq` ever given, 0 before the first."""
        with _told(self.path):
            return highest_seq(self._db)

    def number_from(self, seq: int) -> None:
        """Remember that numbers up to `seq` are taken."""
        with self._transaction():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (seq,))

    def fold(self) -> None:
        """Bring everything from the log into the file itself; raises OutboxError when there is
        no room for it."""
        with _told(self.path):
            busy, left, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy or left:
            raise OutboxError(f"cannot write all of the outbox {self.path}")

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with suppress(sqlite3.Error):
            self._db.close()

    def _prepare(self) -> None:
        self._db.text_factory = bytes  # what is no UTF-8 is damage, too, see `pending_of`
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            _renew_columns(self._db)
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0].decode(errors="replace")
        if verdict != "ok":
            raise DamagedError(f"the outbox {self.path} is damaged: {verdict.splitlines()[-1]}")
        if highest_seq(self._db) > MAX_SEQ:
            raise DamagedError(f"the outbox {self.path} is damaged: numbers beyond all counting")
        for table in ("events", "running"):
            for row in self._db.execute(f"SELECT {COLUMNS} FROM {table}"):
                pending_of(row)

    def _keep_what_runs(self, event: Pending) -> None:
        """In the same commit as the event: a power cut must not leave an alert on for ever."""
        episode = event.payload.get("id")
        if event.payload.get("event_type") == "no_mask_start":
            self._db.execute(
                f"INSERT OR REPLACE INTO running (id, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (episode, *_row(event)),
            )
        elif event.payload.get("event_type") == "no_mask_end":
            self._db.execute("DELETE FROM running WHERE id = ?", (episode,))

    def _dropped_by(self, statement: str, values: tuple[Any, ...]) -> int:
        dropped = max(0, self._db.execute(statement, values).rowcount)
        self._count_dropped(dropped)
        return dropped

    def _count_dropped(self, dropped: int) -> None:
        if dropped:
            self._db.execute(
                "INSERT INTO counts VALUES ('dropped', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (dropped,),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _told(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield


def _unmake(path: Path) -> None:
    """What a full disk leaves of a new database is nothing, and must not pass for a damaged one."""
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def columns_of(db: sqlite3.Connection) -> set[str]:
    """The names of what the table of events holds."""
    names = {row[1] for row in db.execute("PRAGMA table_info(events)")}
    return {name.decode(errors="replace") if isinstance(name, bytes) else name for name in names}


def _renew_columns(db: sqlite3.Connection) -> None:
    """Bring the table of the first version, which knew only the clock's time, up to date."""
    if "committed_at_s" not in columns_of(db):
        return
    db.execute("ALTER TABLE events RENAME COLUMN committed_at_s TO utc_s")
    for column in (
        "synced INTEGER NOT NULL DEFAULT 0",
        "boot TEXT NOT NULL DEFAULT ''",
        "boot_s REAL NOT NULL DEFAULT 0",
        "crc INTEGER",
    ):
        db.execute(f"ALTER TABLE events ADD COLUMN {column}")


def highest_seq(db: sqlite3.Connection) -> int:
    """The highest `seq` ever given, 0 before the first; raises sqlite3.Error."""
    row = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0] or 0) if row else 0


def _row(event: Pending) -> tuple[Any, ...]:
    text = json.dumps(event.payload, separators=(",", ":"))
    at = event.committed
    return event.seq, at.utc_s, int(at.synced), at.boot, at.boot_s, text, _crc(event.seq, text)


def pending_of(row: tuple[Any, ...]) -> Pending:
    """The event in a row of `COLUMNS`; raises DamagedError."""
    seq, utc_s, synced, boot, boot_s, text, crc = row
    try:
        text = text.decode() if isinstance(text, bytes) else text
        boot = boot.decode() if isinstance(boot, bytes) else boot
        payload = json.loads(text)
        committed = Moment(float(utc_s), bool(synced), boot, float(boot_s))
        whole = isinstance(payload, dict) and crc in (None, _crc(seq, text))
    except (ValueError, TypeError, AttributeError):
        whole = False
    if not whole or not 0 < seq <= MAX_SEQ:
        raise DamagedError(f"event {seq} in the outbox is damaged")
    return Pending(seq, committed, payload)


def _crc(seq: int, text: str) -> int:
    """SQLite checks its own structure, not what it was given to keep."""
    return zlib.crc32(f"{seq} {text}".encode())


@contextmanager
def _told(path: Path, damage: tuple[int, ...] = DAMAGE) -> Iterator[None]:
    """SQLite's and the system's errors as ours; `damage`: SQLite's codes that mean just that."""
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
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OutboxError(f"cannot use the outbox {path}: {reason}") from None
    except UnicodeDecodeError:
        raise DamagedError(f"the outbox {path} is damaged: its names are no text") from None
