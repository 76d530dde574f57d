from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.outbox.sqlite_file import OutboxFile
from edge.outbox.tables import DamagedError, LockedError, OutboxError, PendingEvent
from tests.support.clock import START, MomentClock
from tests.support.disks import fill_disk, tiny
from tests.support.outboxes import file_names, open_outbox, waiting_seqs

DAY_S = 86_400.0


def event(seq: int, **payload: Any) -> PendingEvent:
    return PendingEvent(seq, START, {"n": seq, **payload})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OutboxFile]:
    opened = OutboxFile(tmp_path / "outbox.sqlite3")
    yield opened
    opened.close()


def test_events_are_returned_in_order(file: OutboxFile) -> None:
    file.add([event(2), event(1), event(3)])
    assert file.pending(1, 10) == [event(2), event(3)]
    assert file.pending(0, 2) == [event(1), event(2)]


def test_event_with_same_seq_is_replaced(file: OutboxFile) -> None:
    file.add([event(1)])
    file.add([event(1, changed=True)])
    assert file.pending(0, 10) == [event(1, changed=True)]


def test_dropped_events_are_counted(file: OutboxFile) -> None:
    file.add([event(n) for n in range(1, 6)], dropped=2)
    assert file.keep_newest(3) == 2
    assert (file.depth(), file.dropped()) == (3, 4)


def test_age_is_not_guessed_without_a_set_clock(file: OutboxFile) -> None:
    unset = replace(START, synced=False)
    file.add([PendingEvent(1, unset, {}), PendingEvent(2, START, {})])
    later = replace(START, boot="two", utc_s=START.utc_s + 31 * DAY_S)
    assert file.drop_older_than(30 * DAY_S, later) == 1
    assert [waiting.seq for waiting in file.pending(0, 10)] == [1]


def test_last_seq_survives_removal(file: OutboxFile) -> None:
    file.add([event(7)])
    file.remove([7])
    assert (file.depth(), file.last_seq()) == (0, 7)
    file.set_last_seq(100)
    assert file.last_seq() == 100


def test_open_file_is_locked(file: OutboxFile) -> None:
    with pytest.raises(LockedError, match="another mask-patrol is using it"):
        OutboxFile(file.path)


def test_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    path.write_bytes(b"SQLite")
    with pytest.raises(DamagedError, match="is truncated"):
        OutboxFile(path)


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="cannot use the outbox"):
        OutboxFile(tmp_path / "file" / "outbox.sqlite3")


def test_full_disk_leaves_no_empty_database(tmp_path: Path) -> None:
    clock = MomentClock()
    card = tmp_path / "card"
    with tiny(card, kilobytes=16):
        ballast = fill_disk(card)
        outbox = open_outbox(card, clock=clock)
        for _ in range(6):
            outbox.put({})
            clock.advance(1000.0)
        assert file_names(card) == ["ballast"]
        ballast.unlink()
        outbox.close()


def test_file_of_first_version_is_upgraded(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "outbox.sqlite3")
    db.execute(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
        " committed_at_s REAL NOT NULL, payload TEXT NOT NULL)"
    )
    db.execute("INSERT INTO events VALUES (7, 1000.0, ?)", (json.dumps({"n": 7}),))
    db.commit()
    db.close()
    outbox = open_outbox(tmp_path)
    (waiting,) = outbox.pending(0, 10)
    assert (waiting.seq, waiting.payload, waiting.committed.boot) == (7, {"n": 7}, "")
    assert outbox.put({"n": 8}) == 8
    assert waiting_seqs(outbox) == [7, 8]
    outbox.close()


def test_every_commit_is_checkpointed(tmp_path: Path) -> None:
    """SQLite silently ignores a damaged write-ahead log."""
    outbox = open_outbox(tmp_path)
    for n in range(3):
        outbox.put({"n": n})
        assert (tmp_path / "outbox.sqlite3-wal").stat().st_size == 0
    outbox.close()
