"""The file that keeps the counts of wrong attempts when the dashboard restarts."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.common.file_access import access_problem
from edge.dashboard.access.login_throttle import RESET_AFTER_S

log = logging.getLogger(__name__)

#: Counts that are kept: those that were saved last.
MAX_STORED = 10_000


@dataclass(frozen=True)
class StoredCount:
    """How many attempts of a client failed, and the time of the latest, in seconds of the epoch."""

    client: str
    failures: int
    last_s: float


class AttemptStore:
    """Keeps one count for each client in an SQLite file.

    The file is separate from the history: the counts belong to this dashboard and its password, and
    are also kept while the database of the history is down. If the file cannot be used, this is
    logged, and a restart forgets the counts. Any thread may use the object, but only one at a time.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file `path`, which only its owner may read.

        A damaged file is replaced.
        """
        try:
            try:
                self._db = _open(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                log.warning("%s is damaged and is replaced: wrong passwords are counted anew", path)
                for end in ("", "-wal", "-shm"):
                    path.with_name(path.name + end).unlink(missing_ok=True)
                self._db = _open(path)
        except (OSError, sqlite3.Error) as error:
            files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
            reason = access_problem(files) or getattr(error, "strerror", None) or error
            log.warning("cannot use %s, so a restart forgets wrong passwords: %s", path, reason)
            self._db = _prepare(sqlite3.connect(":memory:", check_same_thread=False))

    def load(self, now_s: float) -> list[StoredCount]:
        """Return the counts of the file, the one that was saved last first.

        `now_s` is the present time in seconds of the epoch; older counts than `RESET_AFTER_S` are
        deleted, here and by `save`.
        """
        with _reported(), self._db:
            self._delete_old(now_s)
            rows = self._db.execute(
                "SELECT client, failures, last_s FROM attempts ORDER BY number DESC"
            )
            return [StoredCount(str(c), int(n), float(s)) for c, n, s in rows]
        return []

    def save(self, count: StoredCount) -> None:
        """Keep `count`, of an attempt now, instead of an earlier one of the client.

        The oldest surplus is deleted.
        """
        with _reported(), self._db:
            # The new row's number is one more than the highest, also if it replaces a row.
            number = self._db.execute(
                "REPLACE INTO attempts (client, failures, last_s) VALUES (?, ?, ?)",
                (count.client, count.failures, count.last_s),
            ).lastrowid
            assert number is not None
            self._db.execute("DELETE FROM attempts WHERE number <= ?", (number - MAX_STORED,))
            self._delete_old(count.last_s)

    def delete(self, client: str) -> None:
        """Delete the count of `client`."""
        with _reported(), self._db:
            self._db.execute("DELETE FROM attempts WHERE client = ?", (client,))

    def _delete_old(self, now_s: float) -> None:
        # After the clock was set back, a time may be in the future; it would be kept until then.
        self._db.execute("UPDATE attempts SET last_s = ? WHERE last_s > ?", (now_s, now_s))
        self._db.execute("DELETE FROM attempts WHERE last_s < ?", (now_s - RESET_AFTER_S,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        # A commit survives the end of the process. A power cut may undo the latest ones; it is not
        # worth a write to the SD card for each attempt of an attacker.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA wal_autocheckpoint=100")
        return _prepare(db)
    except sqlite3.Error:
        db.close()
        raise


def _prepare(db: sqlite3.Connection) -> sqlite3.Connection:
    """Create the table if it is missing, and check that it can be read."""
    db.execute(
        "CREATE TABLE IF NOT EXISTS attempts (number INTEGER PRIMARY KEY,"
        " client TEXT NOT NULL UNIQUE, failures INTEGER NOT NULL, last_s REAL NOT NULL)"
    )
    db.execute("SELECT client, failures, last_s FROM attempts").fetchall()
    return db


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Log that the file failed, instead of raising an error."""
    try:
        yield
    except sqlite3.Error as error:
        log.warning("wrong passwords cannot be kept for the next start: %s", error)
