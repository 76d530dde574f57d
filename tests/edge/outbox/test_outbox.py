from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.clock import Moment
from edge.common.errors import UserError
from edge.outbox.outbox import MAX_EVENTS_IN_MEMORY, Outbox
from tests.support.clock import START, MomentClock
from tests.support.disks import fill_disk, read_only, tiny
from tests.support.outboxes import fill_outbox, open_outbox, waiting_seqs

WRITER = """
import sys
from pathlib import Path
from edge.outbox.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]), 1000)
while True:
    sys.stdout.write(f"{outbox.put({'n': 1})}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def clock() -> MomentClock:
    return MomentClock()


def test_events_survive_reopening_in_order(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert [outbox.put({"n": n}) for n in range(3)] == [1, 2, 3]
    outbox.close()
    again = open_outbox(tmp_path)
    assert [(p.seq, p.payload["n"]) for p in again.pending(0, 10)] == [(1, 0), (2, 1), (3, 2)]
    assert [p.seq for p in again.pending(1, 1)] == [2]
    assert again.pending(0, 10)[0].committed == START
    again.close()


def test_seq_continues_after_all_were_delivered(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    seq = outbox.put({})
    outbox.remove(seq)
    assert outbox.depth() == 0
    outbox.close()
    again = open_outbox(tmp_path)
    assert again.put({}) == seq + 1
    again.close()


def test_oldest_events_beyond_maximum_are_dropped(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, max_events=3)
    for n in range(5):
        outbox.put({"n": n})
    assert [p.payload["n"] for p in outbox.pending(0, 10)] == [2, 3, 4]
    assert (outbox.depth(), outbox.dropped) == (3, 2)
    outbox.close()
    again = open_outbox(tmp_path, max_events=3)
    assert again.dropped == 2
    again.close()


def test_old_events_are_dropped_and_counted(tmp_path: Path, clock: MomentClock) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", 1000, max_age_days=30, clock=clock)
    outbox.put({})
    clock.advance(29 * 86_400)
    outbox.put({})
    clock.advance(2 * 86_400)
    outbox.run_maintenance()
    assert waiting_seqs(outbox) == [2]
    assert outbox.dropped == 1
    outbox.close()


def test_clock_jump_does_not_age_events(tmp_path: Path, clock: MomentClock) -> None:
    """A Raspberry Pi starts in 1970, and its clock is set after the first event."""
    clock.now = Moment(utc_s=1000.0, synced=False, boot="one", boot_s=20.0)
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({})
    clock.now = Moment(utc_s=1_790_000_000.0, synced=True, boot="one", boot_s=60.0)
    outbox.run_maintenance()
    assert waiting_seqs(outbox) == [1]
    outbox.close()
    # After a reboot the age of the event is not known, so it is kept.
    clock.now = replace(clock.now, boot="two", boot_s=5.0)
    again = open_outbox(tmp_path, clock=clock)
    again.run_maintenance()
    assert waiting_seqs(again) == [1]
    again.close()


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.sampled_from(["put", "remove", "reopen", "fail", "mend"]), max_size=40))
def test_outbox_behaves_like_a_numbered_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """If the disk fails, no event is lost unless the process ends before the disk works again."""
    folder = tmp_path_factory.mktemp("outbox") / "state"
    clock = MomentClock()
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
        assert waiting_seqs(outbox) == waiting
        assert outbox.depth() == len(waiting)
        assert outbox.dropped == 0
    clock.advance(1000.0)
    outbox.close()
    again = open_outbox(folder)
    assert waiting_seqs(again) == waiting
    again.close()


def break_disk(outbox: Outbox) -> None:
    """Make every call on the open file fail, as SQLite does when the card is removed."""
    assert outbox._file is not None
    outbox._file._db.close()
    outbox._file._db = sqlite3.connect("file:/nonexistent/x?mode=memory", uri=True)


def test_events_survive_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    stored = [int(writer.stdout.readline()) for _ in range(50)]
    os.kill(writer.pid, signal.SIGKILL)
    stored += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    outbox = open_outbox(tmp_path)
    kept = waiting_seqs(outbox)
    assert kept[: len(stored)] == stored == list(range(1, len(stored) + 1))
    outbox.close()


def test_second_process_is_refused(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    with pytest.raises(UserError, match="another mask-patrol is using it"):
        open_outbox(tmp_path)
    outbox.close()


def test_full_disk_is_reported_and_loses_nothing(tmp_path: Path, clock: MomentClock) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({"n": 1})
    assert outbox._file is not None
    # Like a full disk: SQLite may not enlarge the file.
    pages = outbox._file._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._file._db.execute(f"PRAGMA max_page_count={pages}")
    assert outbox.put({"n": "x" * 100_000}) == 2
    assert "full" in outbox.warning
    assert waiting_seqs(outbox) == [1, 2]
    outbox.remove(1)  # as the broker has acknowledged the event
    assert waiting_seqs(outbox) == [2]
    clock.advance(5.0)
    assert outbox.put({"n": 3}) == 3
    assert outbox.warning == ""
    outbox.close()
    again = open_outbox(tmp_path)
    assert waiting_seqs(again) == [2, 3]
    again.close()


def test_events_survive_a_real_full_disk(tmp_path: Path, clock: MomentClock) -> None:
    with tiny(tmp_path / "card", kilobytes=256):
        outbox = open_outbox(tmp_path / "card", clock=clock)
        assert outbox.put({"n": 1}) == 1
        ballast = fill_disk(tmp_path / "card")
        for n in range(2, 60):
            assert outbox.put({"n": n, "padding": "x" * 1000}) == n
        assert outbox.warning
        assert waiting_seqs(outbox) == list(range(1, 60))
        ballast.unlink()
        clock.advance(1000.0)
        outbox.run_maintenance()
        assert outbox.warning == ""
        outbox.close()
        again = open_outbox(tmp_path / "card")
        assert waiting_seqs(again) == list(range(1, 60))
        again.close()


def test_events_in_memory_are_limited_and_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "outbox.sqlite3", 1_000_000, clock=MomentClock())
    first = outbox.put({})
    for _ in range(MAX_EVENTS_IN_MEMORY + 4):
        outbox.put({})
    assert outbox.dropped == 5
    assert waiting_seqs(outbox)[0] == first + 5
    outbox.close()


def test_unusable_path_is_reported_and_retried(
    tmp_path: Path, clock: MomentClock, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file instead of a folder")
    outbox = open_outbox(blocked, clock=clock)
    assert "cannot use the outbox" in outbox.warning
    # It is unknown which numbers were used, so the outbox continues with a much higher number.
    assert outbox.put({}) > 1_700_000_000
    blocked.unlink()
    clock.advance(5.0)
    seq = outbox.put({})
    assert outbox.warning == ""
    assert "is in use again; 1 events saved" in caplog.text
    outbox.close()
    again = open_outbox(blocked)
    assert waiting_seqs(again) == [seq - 1, seq]
    again.close()


def test_events_on_read_only_disk_are_delivered(tmp_path: Path, clock: MomentClock) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    for n in range(3):
        outbox.put({"n": n})
    outbox.close()
    with read_only(tmp_path):
        again = open_outbox(tmp_path, clock=clock)
        assert "cannot use the outbox" in again.warning
        assert waiting_seqs(again) == [1, 2, 3]
        again.remove(1)
        seq = again.put({})  # a number that a later start does not assign
        assert waiting_seqs(again) == [2, 3, seq]
    clock.advance(5.0)
    again.run_maintenance()
    assert (again.warning, waiting_seqs(again)) == ("", [2, 3, seq])
    again.close()


def test_failing_disk_is_read_in_parts(
    tmp_path: Path, clock: MomentClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox.outbox.MAX_EVENTS_IN_MEMORY", 10)
    fill_outbox(tmp_path, 35)
    with read_only(tmp_path):
        outbox = open_outbox(tmp_path, clock=clock)
        last = [outbox.put({"n": n}) for n in range(36, 39)]
        assert outbox.depth() == 38
        received = []
        while waiting := outbox.pending(0, 20):
            received.append(waiting[0].seq)
            outbox.remove(waiting[0].seq)
        assert received == [*range(1, 36), *last]
        assert (outbox.depth(), outbox.dropped) == (0, 0)
    clock.advance(1000.0)
    outbox.run_maintenance()
    assert (outbox.warning, outbox.depth()) == ("", 0)
    outbox.close()


def test_running_alerts_are_known_after_power_cut(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    for kind, episode in [("start", "a"), ("start", "b"), ("end", "a"), ("start", "c")]:
        outbox.remove(outbox.put({"event_type": f"no_mask_{kind}", "id": episode}))
    outbox.close()
    again = open_outbox(tmp_path)
    assert [(start.seq, start.payload["id"]) for start in again.running()] == [(2, "b"), (4, "c")]
    again.put({"event_type": "no_mask_end", "id": "b"})
    assert [start.payload["id"] for start in again.running()] == ["c"]
    again.close()
