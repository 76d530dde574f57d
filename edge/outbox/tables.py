"""The tables of the outbox's database, and how an event is stored in a row."""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any

from edge.common.clock import Moment
from edge.common.errors import UserError

#: Higher than any real number of events, and exact in every JSON parser.
MAX_SEQ = 2**53
# AUTOINCREMENT keeps the highest `seq` ever assigned even while the table is empty, so `seq`
# never repeats and a gap in it shows a loss.
ROW = """utc_s REAL NOT NULL, synced INTEGER NOT NULL, boot TEXT NOT NULL, boot_s REAL NOT NULL,
    payload TEXT NOT NULL, crc INTEGER"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, {ROW});
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS running (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, {ROW});
"""
#: The entry of `counts` with a random number that tells this outbox from all others.
IDENTITY = "identity"
COLUMNS = "seq, utc_s, synced, boot, boot_s, payload, crc"
#: Replaces COLUMNS for a database of the first version, whose table had only the clock's time.
COLUMNS_OF_FIRST_VERSION = "seq, committed_at_s, 0, '', 0.0, payload, NULL"


class OutboxError(UserError):
    """The outbox cannot be read or written: the disk is full, read-only or broken."""


class DamagedError(OutboxError):
    """The content of the file is not what was written to it."""


class LockedError(OutboxError):
    """Another process uses the file."""


@dataclass(frozen=True)
class PendingEvent:
    """An event that waits for the broker's acknowledgement, and when it was committed."""

    seq: int
    committed: Moment
    payload: dict[str, Any]


def row_of(event: PendingEvent) -> tuple[Any, ...]:
    """Return `event` as a row of `COLUMNS`."""
    text = json.dumps(event.payload, separators=(",", ":"))
    at = event.committed
    return event.seq, at.utc_s, int(at.synced), at.boot, at.boot_s, text, _crc(event.seq, text)


def event_of(row: tuple[Any, ...]) -> PendingEvent:
    """Return the event in a row of `COLUMNS`; raises DamagedError."""
    seq, utc_s, synced, boot, boot_s, text, crc = row
    try:
        text = text.decode() if isinstance(text, bytes) else text
        boot = boot.decode() if isinstance(boot, bytes) else boot
        payload = json.loads(text)
        committed = Moment(float(utc_s), bool(synced), boot, float(boot_s))
        intact = isinstance(payload, dict) and crc in (None, _crc(seq, text))
    except (ValueError, TypeError, AttributeError):
        intact = False
    if not intact or not 0 < seq <= MAX_SEQ:
        raise DamagedError(f"event {seq} in the outbox is damaged")
    return PendingEvent(seq, committed, payload)


def columns_of(db: sqlite3.Connection) -> set[str]:
    """Return the column names of the table of events."""
    names = {row[1] for row in db.execute("PRAGMA table_info(events)")}
    return {name.decode(errors="replace") if isinstance(name, bytes) else name for name in names}


def highest_seq(db: sqlite3.Connection) -> int | None:
    """Return the highest `seq` ever assigned, None if none is stored.

    A database of an earlier version stores no number before the first event; otherwise the entry
    is damaged if there is none. Raises sqlite3.Error, or DamagedError if the entry is not a number.
    """
    row = db.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'events'").fetchone()
    try:
        return None if row is None or row[0] is None else int(row[0])
    except (ValueError, OverflowError):  # OverflowError: the entry is infinite
        raise DamagedError("the highest event number in the outbox is not a number") from None


def identity(db: sqlite3.Connection) -> int | None:
    """Return the random number of this outbox, None if an earlier version created it.

    Raises sqlite3.Error.
    """
    row = db.execute("SELECT value FROM counts WHERE name = ?", (IDENTITY,)).fetchone()
    return row[0] if row and isinstance(row[0], int) else None


def upgrade_columns(db: sqlite3.Connection) -> None:
    """Add the missing columns to a table of events of the first version."""
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


def _crc(seq: int, text: str) -> int:
    """Return the checksum of a payload: SQLite verifies its own structure, not the values."""
    return zlib.crc32(f"{seq} {text}".encode())
