"""Clocks, outboxes and damaged files for the tests of the outbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.common.clock import Moment
from edge.outbox.outbox import Outbox

START = Moment(utc_s=1_790_000_000.0, synced=True, boot="one", boot_s=100.0)


class Clock:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Moment:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now = replace(
            self.now, utc_s=self.now.utc_s + seconds, boot_s=self.now.boot_s + seconds
        )


def open_outbox(folder: Path, max_events: int = 1000, clock: Clock | None = None) -> Outbox:
    return Outbox(folder / "outbox.sqlite3", max_events, clock=clock or Clock())


def waiting_seqs(outbox: Outbox) -> list[int]:
    """Return the numbers of all events that wait."""
    return [event.seq for event in outbox.pending(0, 1_000_000)]


def fill_outbox(folder: Path, count: int = 200) -> Path:
    """Write `count` events, with `n` from 0 on, to an outbox and return its file."""
    outbox = open_outbox(folder)
    for n in range(count):
        outbox.put({"n": n, "padding": "x" * 100})
    outbox.close()
    return folder / "outbox.sqlite3"


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change_payload(path: Path) -> None:
    """Change one byte of the payload of event 78, which SQLite does not notice."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"n":77,', b'"n":78,'))
