"""Brings a file that was just opened up to date with what this process knows.

The file may be the one that was in use before, a new one, an older copy, or that of another
outbox, if somebody replaced the file or mounted another disk over its folder.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from edge.outbox.sqlite_file import OutboxFile
from edge.outbox.tables import MAX_SEQ, OutboxError, PendingEvent


@dataclass(frozen=True)
class Carried:
    """What this process knows of the outbox.

    `events` are in memory only; `copies` were read from the file that was in use before, and may
    still be in this one. `removed` are the numbers of acknowledged events. `alerts` maps the IDs of
    alerts to their start event, or to None if they have ended. `dropped` is the number of lost
    events that `file` does not count yet. `last_seq` is the highest number that this process knows
    to be assigned, `recorded_seq` the one in the record beside the file. `identity` is that of the
    outbox, None if no file was open before. `complete`: `events` and `alerts` are everything that
    the file in use before contained.
    """

    events: Collection[PendingEvent]
    copies: Collection[PendingEvent]
    removed: Collection[int]
    alerts: Mapping[str, PendingEvent | None]
    dropped: int
    last_seq: int
    recorded_seq: int
    identity: int | None
    complete: bool


def merge(file: OutboxFile, carried: Carried) -> int:
    """Write what is missing to `file`, in one transaction; return the highest number in use.

    Events that only `file` contains stay in it. Those of another outbox are numbered anew if this
    process may have given their numbers to other events. Raises OutboxError.
    """
    with file.transaction():
        stored = file.last_seq()
        last_seq = max(stored, carried.last_seq, carried.recorded_seq)
        if carried.identity not in (None, file.identity()):
            last_seq = _renumber(file, carried.last_seq, last_seq)
            file.set_identity(carried.identity)
        elif carried.complete:
            # An older copy of the same outbox: what it has and `carried` has not was delivered.
            file.database.execute("DELETE FROM events WHERE seq <= ?", (carried.last_seq,))
            file.database.execute("DELETE FROM running")
        if last_seq > stored:
            file.set_last_seq(last_seq)
        known = {event.seq for event in file.pending(0, MAX_SEQ)} if carried.copies else set()
        file.add(event for event in carried.copies if event.seq not in known)
        file.add(carried.events, carried.dropped)
        file.remove(carried.removed)
        file.restore_running(start for start in carried.alerts.values() if start is not None)
        file.end_running(id_ for id_, start in carried.alerts.items() if start is None)
    with suppress(OutboxError):  # it is committed; if this fails, the next checkpoint includes it
        file.checkpoint()
    return last_seq


def _renumber(file: OutboxFile, up_to: int, last_seq: int) -> int:
    """Give the events with numbers up to `up_to` new numbers above `last_seq`, in order."""
    moved = [event for event in file.pending(0, MAX_SEQ) if event.seq <= up_to]
    file.remove([event.seq for event in moved])
    file.add(replace(event, seq=seq) for seq, event in enumerate(moved, last_seq + 1))
    return last_seq + len(moved)
