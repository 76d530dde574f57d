"""A damaged outbox: set aside under a dated name, never deleted, and read as far as it goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge.common.clock import Moment, iso_utc
from edge.outbox.sqlite_file import (
    COLUMNS,
    MAX_SEQ,
    DamagedError,
    OutboxError,
    OutboxFile,
    Pending,
    columns_of,
    highest_seq,
    pending_of,
)

#: What belongs to a database besides the file itself.
COMPANIONS = ("-wal", "-shm", "-journal")
#: Numbers of damaged rows this far beyond all others are damaged themselves.
NEAR = 10_000
#: What a database is called while it is being rebuilt.
NEW = ".new"


@dataclass(frozen=True)
class Salvage:
    """What could still be read of a file.

    `damaged` rows were so themselves; `last_seq` is the highest ever given, None when that
    is lost; `more` says that there are further events, beyond what was asked for.
    """

    events: list[Pending]
    damaged: int
    last_seq: int | None
    more: int = 0


def set_aside(path: Path, at: Moment) -> Path:
    """Rename a damaged database and what belongs to it; its new name, which bears the date.

    Raises OutboxError when that cannot be done.
    """
    stamp = f"{path.name}.damaged-{_stamp(at)}"
    name, number = stamp, 1
    while path.with_name(name).exists():
        number += 1
        name = f"{stamp}-{number}"
    try:
        # The log first: left behind alone it would be taken for the next database's.
        for companion in (*COMPANIONS, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + companion).rename(path.with_name(name + companion))
    except OSError as error:
        raise OutboxError(f"cannot set the damaged outbox {path} aside: {error.strerror}") from None
    return path.with_name(name)


def rebuilt(path: Path, saved: Salvage, last_seq: int) -> Path:
    """A new database beside the damaged `path` with what was saved of it; its name.

    Complete and on the disk when this returns, so that a power cut at any moment leaves
    one of the two. Raises OutboxError, and leaves nothing then.
    """
    discard(path)
    new = path.with_name(path.name + NEW)
    try:
        file = OutboxFile(new)
        try:
            file.number_from(last_seq)
            file.add(saved.events, saved.damaged)
            file.fold()  # only the file itself will be renamed
        finally:
            file.close()
    except OutboxError:
        discard(path)
        raise
    return new


def taken_up(path: Path) -> None:
    """Finish what a power cut interrupted: a rebuilt database takes the place of one that
    is set aside already. Raises OutboxError."""
    new = path.with_name(path.name + NEW)
    try:
        if new.exists() and not path.exists():
            new.rename(path)
    except OSError as error:
        raise OutboxError(f"cannot use the rebuilt outbox {new}: {error.strerror}") from None


def discard(path: Path) -> None:
    """Remove a rebuilt database of `path` that was not completed."""
    for companion in (*COMPANIONS, ""):
        with suppress(OSError):
            path.with_name(path.name + NEW + companion).unlink()


def salvage(path: Path, limit: int = MAX_SEQ, without: Collection[int] = frozenset()) -> Salvage:
    """Whatever can still be read of the database `path`, damaged or on a disk that can only
    be read: at most `limit` events, none of the numbers `without`, from the first one on as
    far as it goes, then from the last one backwards. Raises nothing."""
    # A plain opening looks into the log too, but needs to write beside the file; the log is
    # folded in after every commit, so that without it only removals are missing.
    for how in ("mode=rw", "mode=ro&immutable=1"):
        saved = _read_all(f"file:{quote(str(path.absolute()))}?{how}", limit, without)
        if saved.events or saved.last_seq is not None:
            break
    return saved


def _read_all(uri: str, limit: int, without: Collection[int]) -> Salvage:
    found: dict[int, Pending] = {}
    damaged: set[int] = set()
    more = 0
    try:
        db = sqlite3.connect(uri, timeout=0.2, uri=True)
    except sqlite3.Error:
        return Salvage([], 0, None)
    db.text_factory = bytes  # what is no UTF-8 must not end the reading
    with suppress(sqlite3.Error):
        # Then a file that is shorter than it says, or whose schema is odd, is read all the same.
        db.execute("PRAGMA writable_schema=ON")
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error, OverflowError, UnicodeDecodeError):
            for row in db.execute(f"SELECT {_columns(db)} FROM events ORDER BY seq {order}"):
                if row[0] in found or (more and order == "DESC"):
                    break
                if row[0] in without:
                    continue
                if len(found) >= limit:
                    more += 1
                    continue
                try:
                    found[row[0]] = pending_of(row)
                except DamagedError:
                    damaged.add(row[0])
    last_seq = None
    with suppress(sqlite3.Error, TypeError, ValueError):  # Unicode errors among them
        told = highest_seq(db)
        if 0 <= told <= MAX_SEQ:
            last_seq = max([told, *found])
            # The number of a damaged row may be right or not; one far off is not.
            last_seq = max([last_seq, *(seq for seq in damaged if seq - last_seq < NEAR)])
    with suppress(sqlite3.Error):
        db.close()
    return Salvage([found[seq] for seq in sorted(found)], len(damaged), last_seq, more)


def _columns(db: sqlite3.Connection) -> str:
    if "crc" in columns_of(db):
        return COLUMNS
    return "seq, committed_at_s, 0, '', 0.0, payload, NULL"


def _stamp(at: Moment) -> str:
    return iso_utc(at.utc_s).partition(".")[0].replace(":", "-") + "Z"
