"""Durable queue of events on disk: what is in it has happened and was not yet delivered."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import UserError


class OutboxError(UserError):
    """The outbox cannot be read or written: the disk is full, read-only or broken."""


# AUTOINCREMENT keeps the highest number ever given, also when the table is empty:
# `seq` counts up for ever and a gap in it shows a loss.
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    committed_at_s REAL NOT NULL,
    payload TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class Pending:
    """An event that waits for the broker's acknowledgement.

    `committed_at_s` is seconds since the epoch, UTC.
    """

    seq: int
    committed_at_s: float
    payload: dict[str, Any]


class Outbox:
    """An SQLite file; every `put` is on the disk when it returns.

    All methods may be called from any thread; all but `close` raise OutboxError when
    the disk fails.
    """

    def __init__(
        self, path: Path, max_events: int, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Open or create `path`; beyond `max_events` the oldest event gives way.

        Raises OutboxError when the file cannot be used or another process uses it.
        """
        self.path = path
        self._max_events = max_events
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self.dropped = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            hint = (
                "another mask-patrol is using it"
                if "locked" in str(error)
                else "choose another place with `outbox.path`"
            )
            raise OutboxError(f"cannot use the outbox {path}: {error}; {hint}") from None

    def put(self, payload: dict[str, Any]) -> int:
        """Commit an event; returns its `seq`, greater than any before."""
        with self._transaction():
            row = self._db.execute(
                "INSERT INTO events (committed_at_s, payload) VALUES (?, ?)",
                (self._wall_clock(), json.dumps(payload, separators=(",", ":"))),
            )
            seq = int(row.lastrowid or 0)
            overflow = self._db.execute(
                "DELETE FROM events WHERE seq <= (SELECT seq FROM events"
                " ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (self._max_events,),
            )
            self.dropped += max(0, overflow.rowcount)
            return seq

    def pending(self, after_seq: int, limit: int) -> list[Pending]:
        """The oldest events with a `seq` above `after_seq`, at most `limit`, in order."""
        with self._transaction():
            rows = self._db.execute(
                "SELECT seq, committed_at_s, payload FROM events WHERE seq > ?"
                " ORDER BY seq LIMIT ?",
                (after_seq, limit),
            ).fetchall()
        return [Pending(seq, at_s, json.loads(payload)) for seq, at_s, payload in rows]

    def remove(self, seq: int) -> None:
        """Forget an event that the broker has acknowledged."""
        with self._transaction():
            self._db.execute("DELETE FROM events WHERE seq = ?", (seq,))

    def depth(self) -> int:
        """How many events wait."""
        with self._transaction():
            return int(self._db.execute("SELECT count(*) FROM events").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, one thread at a time."""
        with self._lock:
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield
            except sqlite3.Error as error:
                raise OutboxError(f"cannot use the outbox {self.path}: {error}") from error

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        with self._lock:
            self._db.close()
