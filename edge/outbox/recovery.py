"""Recovery of a damaged outbox: read what is readable, rebuild, and set the damaged file aside.

The damaged file gets a dated name and is never deleted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge.common.clock import Moment, iso_utc
from edge.common.file_access import access_problem
from edge.outbox.file_place import COMPANION_SUFFIXES, special_file
from edge.outbox.sqlite_file import OutboxFile
from edge.outbox.tables import (
    COLUMNS,
    COLUMNS_OF_FIRST_VERSION,
    MAX_SEQ,
    DamagedError,
    OutboxError,
    PendingEvent,
    columns_of,
    event_of,
    highest_seq,
    identity,
)

#: A damaged row's `seq` that is at least this far above the highest known `seq` is not trusted.
MAX_SEQ_GAP = 10_000
#: The suffix of a database while it is being rebuilt.
REBUILT_SUFFIX = ".new"


@dataclass(frozen=True)
class Salvage:
    """What could still be read of a file.

    `damaged` is the number of rows that were themselves damaged. `last_seq` is the highest number
    ever assigned, None if that is lost. `beyond_limit` is the number of readable events that were
    not returned because of the limit. `running` are the start events of alerts without an end.
    `identity` is the random number of the outbox, None if that is lost. `complete`: everything
    could be read.
    """

    events: list[PendingEvent]
    damaged: int
    last_seq: int | None
    beyond_limit: int = 0
    running: tuple[PendingEvent, ...] = ()
    identity: int | None = None
    complete: bool = False


def set_aside(path: Path, at: Moment, reason: str = "damaged") -> Path:
    """Rename a database and its companion files, and return its new, dated name.

    `reason` is a part of the new name. Raises OutboxError when that is not possible.
    """
    stamp = f"{path.name}.{reason}-{_stamp(at)}"
    name, number = stamp, 1
    while os.path.lexists(path.with_name(name)):
        number += 1
        name = f"{stamp}-{number}"
    try:
        # The companions first: SQLite would apply a remaining log to the new database.
        for suffix in (*COMPANION_SUFFIXES, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(path.with_name(name + suffix))
    except OSError as error:
        raise OutboxError(
            f"cannot set the {reason} outbox {path} aside: {error.strerror}"
        ) from None
    return path.with_name(name)


def rebuild(path: Path, saved: Salvage, last_seq: int) -> Path:
    """Write the `saved` events to a new database beside the damaged `path`; return its name.

    The new database is complete and on the disk when this returns, so that after a power cut at any
    moment one of the two databases exists. On failure, deletes the new database and raises
    OutboxError.
    """
    discard_rebuilt(path)
    rebuilt = path.with_name(path.name + REBUILT_SUFFIX)
    try:
        file = OutboxFile(rebuilt)
        try:
            file.set_last_seq(last_seq)
            if saved.identity is not None:
                file.set_identity(saved.identity)
            file.add(saved.events, saved.damaged)
            file.restore_running(saved.running)
            file.checkpoint()  # only the database file itself is renamed later, without its log
        finally:
            file.close()
    except OutboxError:
        discard_rebuilt(path)
        raise
    return rebuilt


def finish_replacement(path: Path) -> None:
    """Rename a rebuilt database to `path` if the damaged one was set aside already.

    This also completes a replacement that a power cut interrupted. Raises OutboxError.
    """
    rebuilt = path.with_name(path.name + REBUILT_SUFFIX)
    try:
        if rebuilt.exists() and not path.exists():
            rebuilt.rename(path)
    except OSError as error:
        reason = access_problem([rebuilt, path]) or error.strerror
        raise OutboxError(f"cannot use the rebuilt outbox {rebuilt}: {reason}") from None


def discard_rebuilt(path: Path) -> None:
    """Delete an incomplete rebuilt database of `path`, if there is one."""
    for suffix in (*COMPANION_SUFFIXES, ""):
        with suppress(OSError):
            path.with_name(path.name + REBUILT_SUFFIX + suffix).unlink()


def salvage(path: Path, limit: int = MAX_SEQ, without: Collection[int] = frozenset()) -> Salvage:
    """Read what is still readable of the database `path`; raises nothing.

    The database may be damaged, or on a disk that can only be read. At most `limit` events are
    returned, and none whose number is in `without`. Events are read from the first one up to the
    first unreadable place, then from the last one backwards.
    """
    if special_file(path) is not None:
        return Salvage([], 0, None)  # reading a FIFO would block
    # A normal open also reads the write-ahead log, but needs to create files beside the database.
    # Without the log only removals are missing, because every commit of events is followed by a
    # checkpoint.
    for options in ("mode=rw", "mode=ro&immutable=1"):
        uri = f"file:{quote(str(path.absolute()))}?{options}"
        saved = Salvage([], 0, None)
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, timeout=0.2, uri=True)) as db:
            db.text_factory = bytes  # text that is not valid UTF-8 would end the reading
            # This setting makes SQLite read a file that is shorter than its header says, or whose
            # schema is odd.
            with suppress(sqlite3.Error):
                db.execute("PRAGMA writable_schema=ON")
            saved = read_all(db, limit, without)
        if saved.events or saved.last_seq is not None:
            break
    return saved


def read_all(
    db: sqlite3.Connection, limit: int = MAX_SEQ, without: Collection[int] = frozenset()
) -> Salvage:
    """Read what is readable through an open connection, as `salvage` does; raises nothing."""
    found: dict[int, PendingEvent] = {}
    damaged: set[int] = set()
    beyond_limit, finished = 0, False
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error, OverflowError, UnicodeDecodeError):
            for row in db.execute(f"SELECT {_columns(db)} FROM events ORDER BY seq {order}"):
                if row[0] in found or (beyond_limit and order == "DESC"):
                    break
                if row[0] in without:
                    continue
                if len(found) >= limit:
                    beyond_limit += 1
                    continue
                try:
                    found[row[0]] = event_of(row)
                except DamagedError:
                    damaged.add(row[0])
            finished = finished or order == "ASC"
    running = _read_running(db)
    last_seq = _last_seq(db, {*found, *(event.seq for event in running)}, damaged)
    known, complete = None, False
    with suppress(sqlite3.Error, UnicodeDecodeError):
        known = identity(db)
        all_running = db.execute("SELECT count(*) FROM running").fetchone()[0]
        complete = finished and not damaged and last_seq is not None and len(running) == all_running
    events = [found[seq] for seq in sorted(found)]
    return Salvage(events, len(damaged), last_seq, beyond_limit, tuple(running), known, complete)


def _read_running(db: sqlite3.Connection) -> list[PendingEvent]:
    """Return the readable rows of the table `running`."""
    running = []
    with suppress(sqlite3.Error, OverflowError, UnicodeDecodeError):
        for row in db.execute(f"SELECT {COLUMNS} FROM running ORDER BY seq"):
            with suppress(DamagedError):
                running.append(event_of(row))
    return running


def _last_seq(
    db: sqlite3.Connection, found: Collection[int], damaged: Collection[int]
) -> int | None:
    """Return the highest number ever assigned, None if that is lost."""
    last_seq = None
    # ValueError includes Unicode errors.
    with suppress(sqlite3.Error, TypeError, ValueError, DamagedError):
        stored = highest_seq(db)
        if stored is not None and 0 <= stored <= MAX_SEQ:
            last_seq = max([stored, *found])
            # The number of a damaged row may be right or wrong; a number that is far above all
            # others is wrong.
            last_seq = max([last_seq, *(seq for seq in damaged if seq - last_seq < MAX_SEQ_GAP)])
    return last_seq


def _columns(db: sqlite3.Connection) -> str:
    return COLUMNS if "crc" in columns_of(db) else COLUMNS_OF_FIRST_VERSION


def _stamp(at: Moment) -> str:
    return iso_utc(at.utc_s).partition(".")[0].replace(":", "-") + "Z"
