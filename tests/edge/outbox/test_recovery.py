"""Damaged files, each of which is recovered as far as it can be read."""

from __future__ import annotations

import logging
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox.recovery import salvage
from tests.support.clock import MomentClock
from tests.support.disks import fill_disk, tiny
from tests.support.outboxes import (
    change_payload,
    file_names,
    fill_outbox,
    open_outbox,
    waiting_seqs,
)


def overwrite(at: int, replacement: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[at : at + len(replacement)] = replacement
        path.write_bytes(content)

    return damage


def flip_count(path: Path) -> None:
    """Store an impossible number, which SQLite's own check accepts."""
    db = sqlite3.connect(path)
    db.execute("UPDATE sqlite_sequence SET seq = ?", (2**60,))
    db.commit()
    db.close()


def rename_counter(path: Path) -> None:
    """Damage the name under which SQLite stores the highest number, without other damage."""
    db = sqlite3.connect(path)
    db.execute("UPDATE sqlite_sequence SET name = 'evenus'")
    db.commit()
    db.close()


def delete_counter(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("DELETE FROM sqlite_sequence")
    db.commit()
    db.close()


DAMAGE = {
    "header": (overwrite(0, b"not a database at all"), 0),
    "schema": (overwrite(110, b"\xff" * 3000), 0),
    "a page": (overwrite(3 * 4096, b"\xa5" * 4096), 100),
    "the last page": (overwrite(-4096, b"\xa5" * 4096), 100),
    "a payload": (change_payload, 199),
    "the count": (flip_count, 200),
    "the count's name": (rename_counter, 200),
    "no count": (delete_counter, 200),
    "a third gone": (lambda path: os.truncate(path, path.stat().st_size * 2 // 3), 20),
    "cut in a page": (lambda path: os.truncate(path, path.stat().st_size - 1000), 100),
    "empty": (lambda path: os.truncate(path, 0), 0),
    "one byte": (lambda path: os.truncate(path, 1), 0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "at_least"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_set_aside_and_salvaged(
    tmp_path: Path,
    damage: Callable[[Path], None],
    at_least: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = fill_outbox(tmp_path)
    damage(path)
    damaged = path.read_bytes()
    with caplog.at_level(logging.ERROR):
        outbox = open_outbox(tmp_path)
    (aside,) = [name for name in file_names(tmp_path) if "damaged" in name and name.endswith("Z")]
    assert aside == "outbox.sqlite3.damaged-2026-09-21T14-13-20Z"
    assert (tmp_path / aside).read_bytes() == damaged
    assert "set aside" in caplog.text
    saved = outbox.pending(0, 1000)
    assert len(saved) >= at_least
    assert all(event.payload["n"] == event.seq - 1 for event in saved)
    assert outbox.put({}) > 200  # no number is used twice
    assert outbox.warning == ""
    outbox.close()
    again = open_outbox(tmp_path)
    assert len(waiting_seqs(again)) == len(saved) + 1
    again.close()


COUNTER_DAMAGE = {
    "name": "UPDATE sqlite_sequence SET name = 'evenus'",
    "no name": "UPDATE sqlite_sequence SET name = NULL",
    "text": "UPDATE sqlite_sequence SET seq = 'abc'",
    "infinite": "UPDATE sqlite_sequence SET seq = 9e999",
    "negative": "UPDATE sqlite_sequence SET seq = -7",
}


@pytest.mark.parametrize("statement", COUNTER_DAMAGE.values(), ids=COUNTER_DAMAGE)
def test_damaged_counter_of_an_empty_queue_loses_nothing(tmp_path: Path, statement: str) -> None:
    outbox = open_outbox(tmp_path)
    for n in range(3):
        outbox.put({"event_type": "no_mask_start", "id": f"door1-{n}"})
    for seq in (1, 2, 3):
        outbox.remove(seq)
    outbox.close()
    db = sqlite3.connect(tmp_path / "outbox.sqlite3")
    db.execute(statement)
    db.commit()
    db.close()
    again = open_outbox(tmp_path)
    assert [event.payload["id"] for event in again.running()] == ["door1-0", "door1-1", "door1-2"]
    assert again.put({}) > 3  # no number is used twice
    again.close()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_outbox(tmp_path_factory.mktemp("pristine"), 60)


@pytest.mark.slow
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), bits=st.integers(1, 200))
def test_random_damage_never_returns_wrong_events(
    tmp_path_factory: pytest.TempPathFactory, pristine: Path, seed: int, bits: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = Path(shutil.copy(pristine, folder))
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(bits):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    outbox = open_outbox(folder)
    stored = outbox.pending(0, 1000)
    assert all(event.payload["n"] == event.seq - 1 for event in stored)
    if len(stored) < 60:  # the damaged file was kept
        assert any("damaged" in name for name in file_names(folder))
    assert outbox.put({}) > max([60 if stored else 0, *(e.seq for e in stored)])
    outbox.close()


STEPS = [
    "edge.outbox.recovery.OutboxFile",
    "edge.outbox.outbox.set_aside",
    "edge.outbox.outbox.finish_replacement",
]


@pytest.mark.slow
@pytest.mark.parametrize("step", [*STEPS, "the end"])
def test_power_cut_during_recovery_loses_nothing(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill_outbox(tmp_path)
    change_payload(path)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt("power cut")

    with monkeypatch.context() as patched:
        if step == "edge.outbox.outbox.finish_replacement":
            calls: list[object] = []

            def second_time(path: Path) -> None:
                calls.append(path)
                if len(calls) == 2:  # the rebuilt file has not been renamed yet
                    cut()

            patched.setattr(step, second_time)
        elif step != "the end":
            patched.setattr(step, cut)
        with suppress(KeyboardInterrupt):
            open_outbox(tmp_path).close()
    outbox = open_outbox(tmp_path)
    assert waiting_seqs(outbox) == [n for n in range(1, 201) if n != 78]
    assert outbox.dropped == 1
    assert outbox.put({}) == 201
    outbox.close()
    assert any("damaged" in name for name in file_names(tmp_path))
    assert not any(".new" in name for name in file_names(tmp_path))


def test_recovery_on_full_disk_keeps_events(tmp_path: Path) -> None:
    clock = MomentClock()
    card = tmp_path / "card"
    with tiny(card, kilobytes=1500):
        path = fill_outbox(card, 1000)
        change_payload(path)
        ballast = fill_disk(card)
        outbox = open_outbox(card, clock=clock)
        assert outbox.warning
        assert len(waiting_seqs(outbox)) == 999
        outbox.remove(1)
        ballast.unlink()
        clock.advance(5.0)
        outbox.run_maintenance()
        assert (outbox.warning, waiting_seqs(outbox)[0], outbox.depth()) == ("", 2, 998)
        outbox.close()
        assert not any(".new" in name for name in file_names(card))


def test_salvage_is_limited_and_skips_removed_events(tmp_path: Path) -> None:
    path = fill_outbox(tmp_path, 10)
    saved = salvage(path, limit=3, without={2})
    assert [event.seq for event in saved.events] == [1, 3, 4]
    assert (saved.damaged, saved.last_seq, saved.beyond_limit) == (0, 10, 6)


def test_salvage_of_missing_file_is_empty(tmp_path: Path) -> None:
    saved = salvage(tmp_path / "none.sqlite3")
    assert (saved.events, saved.last_seq) == ([], None)
