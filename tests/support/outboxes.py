"""Outboxes and damaged files for the tests of the outbox."""

from __future__ import annotations

from pathlib import Path

from edge.outbox.outbox import Outbox
from tests.support.clock import MomentClock


def open_outbox(folder: Path, max_events: int = 1000, clock: MomentClock | None = None) -> Outbox:
    return Outbox(folder / "outbox.sqlite3", max_events, clock=clock or MomentClock())


def waiting_seqs(outbox: Outbox) -> list[int]:
    """Return the sequence numbers of all events in the outbox."""
    return [event.seq for event in outbox.pending(0, 1_000_000)]


def fill_outbox(folder: Path, count: int = 200) -> Path:
    """Write `count` events, whose field `n` counts from 0, to an outbox; return its file."""
    outbox = open_outbox(folder)
    for n in range(count):
        outbox.put({"n": n, "padding": "x" * 100})
    outbox.close()
    return folder / "outbox.sqlite3"


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change_payload(path: Path) -> None:
    """Change one byte of the payload of event 78; SQLite does not detect this damage."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"n":77,', b'"n":78,'))
