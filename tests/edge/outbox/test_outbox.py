from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.clock import Moment
from edge.common.errors import UserError
from edge.outbox.outbox import MAX_EVENTS_IN_MEMORY, Outbox
from tests.support.disks import read_only, tiny

WRITER = """
import sys
from pathlib import Path
from edge.outbox.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]), 1000)
while True:
    sys.stdout.write(f"{outbox.put({'n': 1})}\\n")
    sys.stdout.flush()
"""
START = Moment(utc_s=1_790_000_000.0, synced=True, boot="one", boot_s=100.0)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Moment:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now = replace(
            self.now, utc_s=self.now.utc_s + seconds, boot_s=self.now.boot_s + seconds
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


def open_outbox(folder: Path, max_events: int = 1000, clock: Clock | None = None) -> Outbox:
    return Outbox(folder / "outbox.sqlite3", max_events, clock=clock or Clock())


def numbers(outbox: Outbox) -> list[int]:
    return [p.seq for p in outbox.pending(0, 1_000_000)]


def in_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_events_wait_in_order_and_survive_reopening(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert [outbox.put({"n": n}) for n in range(3)] == [1, 2, 3]
    outbox.close()
    again = open_outbox(tmp_path)
    assert [(p.seq, p.payload["n"]) for p in again.pending(0, 10)] == [(1, 0), (2, 1), (3, 2)]
    assert [p.seq for p in again.pending(1, 1)] == [2]
    assert again.pending(0, 10)[0].committed == START
    again.close()


def test_seq_counts_on_after_everything_was_delivered(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    seq = outbox.put({})
    outbox.remove(seq)
    assert outbox.depth() == 0
    outbox.close()
    again = open_outbox(tmp_path)
    assert again.put({}) == seq + 1
    again.close()


def test_beyond_the_bound_the_oldest_gives_way_and_is_counted_for_ever(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, max_events=3)
    for n in range(5):
        outbox.put({"n": n})
    assert [p.payload["n"] for p in outbox.pending(0, 10)] == [2, 3, 4]
    assert (outbox.depth(), outbox.dropped) == (3, 2)
    outbox.close()
    again = open_outbox(tmp_path, max_events=3)
    assert again.dropped == 2
    again.close()


def test_what_is_too_old_gives_way_and_is_counted(tmp_path: Path, clock: Clock) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1000, max_age_days=30, clock=clock)
    outbox.put({})
    clock.advance(29 * 86_400)
    outbox.put({})
    clock.advance(2 * 86_400)
    outbox.run_maintenance()
    assert numbers(outbox) == [2]
    assert outbox.dropped == 1
    outbox.close()


def test_a_clock_that_jumps_makes_nothing_old(tmp_path: Path, clock: Clock) -> None:
    """A Pi starts in 1970, sees somebody, and is told the time afterwards."""
    clock.now = Moment(utc_s=1000.0, synced=False, boot="one", boot_s=20.0)
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({})
    clock.now = Moment(utc_s=1_790_000_000.0, synced=True, boot="one", boot_s=60.0)
    outbox.run_maintenance()
    assert numbers(outbox) == [1]
    outbox.close()
    # … and after another start there is no telling how old it is: it is kept.
    clock.now = replace(clock.now, boot="two", boot_s=5.0)
    again = open_outbox(tmp_path, clock=clock)
    again.run_maintenance()
    assert numbers(again) == [1]
    again.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["put", "remove", "reopen", "fail", "mend"]), max_size=40))
def test_it_behaves_like_a_list_that_numbers_on(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever the disk does; only a process that ends while it fails loses events."""
    folder = tmp_path_factory.mktemp("outbox") / "state"
    clock = Clock()
    outbox, waiting, last, good = open_outbox(folder, clock=clock), [], 0, True
    for step in steps:
        if step == "put":
            last += 1
            assert outbox.put({"n": last}) == last
            waiting.append(last)
        elif step == "remove" and waiting:
            outbox.remove(waiting.pop(0))
        elif step == "reopen" and good:
            outbox.close()
            outbox = open_outbox(folder, clock=clock)
        elif step == "fail" and good:
            break_disk(outbox)
            good = False
        elif step == "mend":
            clock.advance(1000.0)
            good = True
        assert numbers(outbox) == waiting
        assert outbox.depth() == len(waiting)
        assert outbox.dropped == 0
    clock.advance(1000.0)
    outbox.close()
    again = open_outbox(folder)
    assert numbers(again) == waiting
    again.close()


def break_disk(outbox: Outbox) -> None:
    """What SQLite does when the card is gone: every call on the open file fails."""
    assert outbox._file is not None
    outbox._file._db.close()
    outbox._file._db = sqlite3.connect("file:/nonexistent/x?mode=memory", uri=True)


def test_what_was_put_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(50)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    outbox = open_outbox(tmp_path)
    kept = numbers(outbox)
    assert kept[: len(told)] == told == list(range(1, len(told) + 1))
    outbox.close()


def test_a_second_user_is_refused(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    with pytest.raises(UserError, match="another mask-patrol is using it"):
        open_outbox(tmp_path)
    outbox.close()


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({"n": 1})
    assert outbox._file is not None
    # As a full disk: SQLite may not grow the file any more.
    pages = outbox._file._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._file._db.execute(f"PRAGMA max_page_count={pages}")
    assert outbox.put({"n": "x" * 100_000}) == 2
    assert "full" in outbox.warning
    assert numbers(outbox) == [1, 2]
    outbox.remove(1)  # acknowledged meanwhile
    assert numbers(outbox) == [2]
    clock.advance(5.0)
    assert outbox.put({"n": 3}) == 3
    assert outbox.warning == ""
    outbox.close()
    again = open_outbox(tmp_path)
    assert numbers(again) == [2, 3]
    again.close()


def test_a_disk_that_is_really_full(tmp_path: Path, clock: Clock) -> None:
    with tiny(tmp_path / "card", kilobytes=256):
        outbox = open_outbox(tmp_path / "card", clock=clock)
        assert outbox.put({"n": 1}) == 1
        ballast = tmp_path / "card" / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 1024)
        for n in range(2, 60):
            assert outbox.put({"n": n, "padding": "x" * 1000}) == n
        assert outbox.warning
        assert numbers(outbox) == list(range(1, 60))
        ballast.unlink()
        clock.advance(1000.0)
        outbox.run_maintenance()
        assert outbox.warning == ""
        outbox.close()
        again = open_outbox(tmp_path / "card")
        assert numbers(again) == list(range(1, 60))
        again.close()


def test_memory_is_bounded_and_what_gives_way_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "outbox.sqlite3", 1_000_000, clock=Clock())
    first = outbox.put({})
    for _ in range(MAX_EVENTS_IN_MEMORY + 4):
        outbox.put({})
    assert outbox.dropped == 5
    assert numbers(outbox)[0] == first + 5
    outbox.close()


def test_a_place_that_cannot_be_used_is_told_and_used_as_soon_as_it_can(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where a folder should be")
    outbox = open_outbox(blocked, clock=clock)
    assert "cannot use the outbox" in outbox.warning
    # Nobody knows which numbers were given: these were not, whatever happened before.
    assert outbox.put({}) > 1_700_000_000
    blocked.unlink()
    clock.advance(5.0)
    seq = outbox.put({})
    assert outbox.warning == ""
    assert "is in use again; 1 events saved" in caplog.text
    outbox.close()
    again = open_outbox(blocked)
    assert numbers(again) == [seq - 1, seq]
    again.close()


def test_what_waits_on_a_disk_that_can_only_be_read_still_goes_out(
    tmp_path: Path, clock: Clock
) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    for n in range(3):
        outbox.put({"n": n})
    outbox.close()
    with read_only(tmp_path):
        again = open_outbox(tmp_path, clock=clock)
        assert "cannot use the outbox" in again.warning
        assert numbers(again) == [1, 2, 3]
        again.remove(1)
        assert again.put({}) == 4
        assert numbers(again) == [2, 3, 4]
    clock.advance(5.0)
    again.run_maintenance()
    assert (again.warning, numbers(again)) == ("", [2, 3, 4])
    again.close()


def filled(folder: Path, count: int = 200) -> Path:
    outbox = open_outbox(folder)
    for n in range(count):
        outbox.put({"n": n, "padding": "x" * 100})
    outbox.close()
    return folder / "outbox.sqlite3"


def overwrite(at: int, what: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[at : at + len(what)] = what
        path.write_bytes(content)

    return damage


def flip_payload(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"n":77,', b'"n":78,'))


def flip_count(path: Path) -> None:
    """A number that SQLite's own check holds for good."""
    db = sqlite3.connect(path)
    db.execute("UPDATE sqlite_sequence SET seq = ?", (2**60,))
    db.commit()
    db.close()


DAMAGE = {
    "header": (overwrite(0, b"not a database at all"), 0),
    "schema": (overwrite(110, b"\xff" * 3000), 0),
    "a page": (overwrite(3 * 4096, b"\xa5" * 4096), 100),
    "the last page": (overwrite(-4096, b"\xa5" * 4096), 100),
    "a payload": (flip_payload, 199),
    "the count": (flip_count, 200),
    "a third gone": (lambda path: os.truncate(path, path.stat().st_size * 2 // 3), 20),
    "cut in a page": (lambda path: os.truncate(path, path.stat().st_size - 1000), 100),
    "empty": (lambda path: os.truncate(path, 0), 0),
    "one byte": (lambda path: os.truncate(path, 1), 0),
}


@pytest.mark.parametrize(("damage", "at_least"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_set_aside_and_what_can_be_read_is_saved(
    tmp_path: Path,
    damage: Callable[[Path], None],
    at_least: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = filled(tmp_path)
    damage(path)
    damaged = path.read_bytes()
    with caplog.at_level(logging.ERROR):
        outbox = open_outbox(tmp_path)
    (aside,) = [name for name in in_files(tmp_path) if "damaged" in name and name.endswith("Z")]
    assert aside == "outbox.sqlite3.damaged-2026-09-21T14-13-20Z"
    assert (tmp_path / aside).read_bytes() == damaged
    assert "set aside" in caplog.text
    saved = outbox.pending(0, 1000)
    assert len(saved) >= at_least
    assert all(event.payload["n"] == event.seq - 1 for event in saved)
    assert outbox.put({}) > 200  # no number twice
    assert outbox.warning == ""
    outbox.close()
    again = open_outbox(tmp_path)
    assert len(numbers(again)) == len(saved) + 1
    again.close()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("pristine"), 60)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), bits=st.integers(1, 200))
def test_no_damage_makes_it_fail_lie_or_number_twice(
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
    told = outbox.pending(0, 1000)
    assert all(event.payload["n"] == event.seq - 1 for event in told)
    if len(told) < 60:  # then a damaged copy is still there
        assert any("damaged" in name for name in in_files(folder))
    assert outbox.put({}) > max([60 if told else 0, *(e.seq for e in told)])
    outbox.close()


STEPS = [
    "edge.outbox.recovery.OutboxFile",
    "edge.outbox.outbox.set_aside",
    "edge.outbox.outbox.finish_replacement",
]


@pytest.mark.parametrize("step", [*STEPS, "the end"])
def test_a_power_cut_while_a_damaged_file_is_healed_loses_nothing(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    flip_payload(path)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt("the power is gone")

    with monkeypatch.context() as patched:
        if step == "edge.outbox.outbox.finish_replacement":
            calls: list[object] = []

            def second_time(path: Path) -> None:  # when what was rebuilt is in no place yet
                calls.append(path)
                if len(calls) == 2:
                    cut()

            patched.setattr(step, second_time)
        elif step != "the end":
            patched.setattr(step, cut)
        with suppress(KeyboardInterrupt):
            open_outbox(tmp_path).close()
    outbox = open_outbox(tmp_path)
    assert numbers(outbox) == [n for n in range(1, 201) if n != 78]
    assert outbox.dropped == 1
    assert outbox.put({}) == 201
    outbox.close()
    assert any("damaged" in name for name in in_files(tmp_path))
    assert not any(".new" in name for name in in_files(tmp_path))


def test_healing_on_a_full_disk_keeps_what_is_there(tmp_path: Path, clock: Clock) -> None:
    card = tmp_path / "card"
    with tiny(card, kilobytes=1500):
        path = filled(card, 1000)
        flip_payload(path)
        ballast = card / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 1024)
        outbox = open_outbox(card, clock=clock)
        assert outbox.warning
        assert len(numbers(outbox)) == 999
        outbox.remove(1)
        ballast.unlink()
        clock.advance(5.0)
        outbox.run_maintenance()
        assert (outbox.warning, numbers(outbox)[0], outbox.depth()) == ("", 2, 998)
        outbox.close()
        assert not any(".new" in name for name in in_files(card))


def test_a_full_disk_without_an_outbox_leaves_no_ruins(tmp_path: Path, clock: Clock) -> None:
    card = tmp_path / "card"
    with tiny(card, kilobytes=16):
        with (card / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 1024)
        outbox = open_outbox(card, clock=clock)
        for _ in range(6):
            outbox.put({})
            clock.advance(1000.0)
        assert in_files(card) == ["ballast"]
        (card / "ballast").unlink()
        outbox.close()


def test_more_than_fits_in_memory_goes_out_in_order_from_a_disk_that_fails(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox.outbox.MAX_EVENTS_IN_MEMORY", 10)
    filled(tmp_path, 35)
    with read_only(tmp_path):
        outbox = open_outbox(tmp_path, clock=clock)
        for n in range(36, 39):
            assert outbox.put({"n": n}) == n
        assert outbox.depth() == 38
        received = []
        while waiting := outbox.pending(0, 20):
            received.append(waiting[0].seq)
            outbox.remove(waiting[0].seq)
        assert received == list(range(1, 39))
        assert (outbox.depth(), outbox.dropped) == (0, 0)
    clock.advance(1000.0)
    outbox.run_maintenance()
    assert (outbox.warning, outbox.depth()) == ("", 0)
    outbox.close()


def test_what_ran_when_the_power_went_is_known(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    for kind, episode in [("start", "a"), ("start", "b"), ("end", "a"), ("start", "c")]:
        outbox.remove(outbox.put({"event_type": f"no_mask_{kind}", "id": episode}))
    outbox.close()
    again = open_outbox(tmp_path)
    assert [(start.seq, start.payload["id"]) for start in again.running()] == [(2, "b"), (4, "c")]
    again.put({"event_type": "no_mask_end", "id": "b"})
    assert [start.payload["id"] for start in again.running()] == ["c"]
    again.close()


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
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
    assert numbers(outbox) == [7, 8]
    outbox.close()


def test_every_commit_is_folded_into_the_database(tmp_path: Path) -> None:
    """A damaged log would be forgotten without a word."""
    outbox = open_outbox(tmp_path)
    for n in range(3):
        outbox.put({"n": n})
        assert (tmp_path / "outbox.sqlite3-wal").stat().st_size == 0
    outbox.close()
