from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UserError
from edge.outbox import Outbox, OutboxError

WRITER = """
import sys
from pathlib import Path
from edge.outbox import Outbox, OutboxError
outbox = Outbox(Path(sys.argv[1]), 1000)
while True:
    sys.stdout.write(f"{outbox.put({'n': 1})}\\n")
    sys.stdout.flush()
"""


def open_outbox(folder: Path, max_events: int = 1000) -> Outbox:
    return Outbox(folder / "outbox.sqlite3", max_events, wall_clock=lambda: 1000.0)


def test_events_wait_in_order_and_survive_reopening(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert [outbox.put({"n": n}) for n in range(3)] == [1, 2, 3]
    outbox.close()
    again = open_outbox(tmp_path)
    assert [(p.seq, p.payload["n"]) for p in again.pending(0, 10)] == [(1, 0), (2, 1), (3, 2)]
    assert [p.seq for p in again.pending(1, 1)] == [2]
    assert again.pending(0, 10)[0].committed_at_s == 1000.0
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


def test_beyond_the_bound_the_oldest_gives_way_and_is_counted(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, max_events=3)
    for n in range(5):
        outbox.put({"n": n})
    assert [p.payload["n"] for p in outbox.pending(0, 10)] == [2, 3, 4]
    assert outbox.dropped == 2
    outbox.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["put", "remove", "reopen"]), max_size=40))
def test_it_behaves_like_a_list_that_numbers_on(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    outbox, waiting, last = open_outbox(folder), [], 0
    for step in steps:
        if step == "put":
            last += 1
            assert outbox.put({"n": last}) == last
            waiting.append(last)
        elif step == "remove" and waiting:
            outbox.remove(waiting.pop(0))
        elif step == "reopen":
            outbox.close()
            outbox = open_outbox(folder)
        assert [p.seq for p in outbox.pending(0, 100)] == waiting
        assert outbox.depth() == len(waiting)
    outbox.close()


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
    kept = [p.seq for p in outbox.pending(0, 100_000)]
    assert kept[: len(told)] == told == list(range(1, len(told) + 1))
    outbox.close()


def test_a_second_user_is_refused(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    with pytest.raises(UserError, match="another mask-patrol is using it"):
        open_outbox(tmp_path)
    outbox.close()


def test_a_disk_that_fails_is_an_error_of_one_line_and_loses_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.put({"n": 1})
    # As a full disk: SQLite may not grow the file any more.
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(OutboxError, match="full"):
        outbox.put({"n": "x" * 100_000})
    assert [p.payload for p in outbox.pending(0, 10)] == [{"n": 1}]
    outbox._db.execute("PRAGMA max_page_count=1000000")
    assert outbox.put({"n": 2}) == 2
    outbox.close()


def test_an_unusable_place_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another place"):
        Outbox(tmp_path / "file" / "outbox.sqlite3", 10)
    (tmp_path / "junk.sqlite3").write_bytes(b"junk" * 1000)
    with pytest.raises(UserError, match="not a database"):
        Outbox(tmp_path / "junk.sqlite3", 10)
