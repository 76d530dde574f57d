"""No number is assigned twice, whatever happens to the disk."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.outbox.recovery import MAX_SEQ_GAP
from tests.support.clock import START, MomentClock
from tests.support.disks import failing_writes, read_only
from tests.support.outboxes import fill_outbox, open_outbox, waiting_seqs

NAME = "outbox.sqlite3"
#: Puts an event for each line of its input and writes the event's number and the warning.
WRITER = """
import sys
from pathlib import Path
from edge.outbox.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]), 1000)
for start in outbox.running():
    print("running", start.payload["id"], flush=True)
print("ready", flush=True)
for line in sys.stdin:
    kind, n = line.split()
    seq = outbox.put({"n": int(n), "event_type": "no_mask_" + kind, "id": "door1-" + n})
    print(seq, outbox.warning, flush=True)
outbox.close()
"""


class Writer:
    """A process that writes to an outbox, and whose writes fail while `failing` exists."""

    def __init__(self, folder: Path, paths: Path) -> None:
        self.failing = folder / "failing"
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder / "state" / NAME)],
            env=failing_writes(folder, paths, self.failing),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.running = [line.split()[1] for line in iter(self._line, "ready")]

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the writer has ended"
        return line.strip()

    def put(self, n: int, kind: str = "other") -> tuple[int, str]:
        """Return the number of the event, and the outbox's warning."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {n}\n")
        self._process.stdin.flush()
        seq, _, warning = self._line().partition(" ")
        return int(seq), warning

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait() == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=["all files", "the database only", "the record only"])
def paths(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The beginning of the paths that cannot be written."""
    state = tmp_path / "state"
    return {
        "all files": state,
        "the database only": state / f"{NAME}-",
        "the record only": state / f"{NAME}.seq",
    }[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("first_failing", [0, 1, 2, 3, 5, 8, 12])
def test_numbers_of_a_failing_disk_are_not_assigned_again(
    tmp_path: Path, paths: Path, first_failing: int
) -> None:
    """The writes fail from the nth on; the process is killed and the disk works again, twice."""
    numbers: list[int] = []
    for _ in range(2):
        writer = Writer(tmp_path, paths)
        numbers += [writer.put(n)[0] for n in range(3)]
        writer.failing.write_text(str(first_failing))
        numbers += [writer.put(n)[0] for n in range(5)]
        writer.kill()
        writer.failing.unlink()
    writer = Writer(tmp_path, paths)
    numbers += [writer.put(n)[0] for n in range(5)]
    writer.kill()
    assert len(set(numbers)) == len(numbers) == 21


@pytest.mark.slow
@pytest.mark.parametrize("first_failing", [0, 1, 2, 3, 5, 8, 12])
def test_no_event_of_a_failing_disk_is_lost(
    tmp_path: Path, paths: Path, first_failing: int
) -> None:
    writer = Writer(tmp_path, paths)
    numbers = [writer.put(n)[0] for n in range(3)]
    writer.failing.write_text(str(first_failing))
    numbers += [writer.put(n)[0] for n in range(3, 8)]
    writer.failing.unlink()
    writer.stop()
    outbox = open_outbox(tmp_path / "state")
    waiting = [(event.seq, event.payload["n"]) for event in outbox.pending(0, 100)]
    assert waiting == list(zip(numbers, range(8), strict=True))
    assert outbox.dropped == 0
    outbox.close()


def test_alert_that_began_while_the_disk_failed_is_ended_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    writer = Writer(tmp_path, state / f"{NAME}-")
    assert writer.put(1, "start") == (1, "")
    assert writer.put(2, "start") == (2, "")
    writer.failing.touch()
    assert writer.put(1, "end")[1]
    assert writer.put(3, "start")[1]
    assert writer.put(4, "start")[1]
    assert writer.put(4, "end")[1]
    writer.kill()
    again = Writer(tmp_path, state / f"{NAME}-")  # the disk fails still
    assert again.running == ["door1-2", "door1-3"]
    assert again.put(2, "end")[0] == 7
    again.kill()
    again.failing.unlink()
    mended = Writer(tmp_path, state / f"{NAME}-")
    assert mended.running == ["door1-3"]
    assert mended.put(3, "end") == (8, "")
    mended.kill()
    outbox = open_outbox(state)
    assert outbox.running() == []
    outbox.close()


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an outbox of which all events were delivered."""
    folder = fill_outbox(tmp_path_factory.mktemp("delivered"), 40).parent
    outbox = open_outbox(folder)
    for seq in waiting_seqs(outbox):
        outbox.remove(seq)
    outbox.close()
    return folder


def cuts(content: bytes) -> list[int]:
    """Return sizes to cut a database to: around the ends of its pages, and some inside them."""
    ends = range(0, len(content) + 1, 4096)
    near = {end + distance for end in ends for distance in (-3, -2, -1, 0, 1, 2)}
    return sorted(
        size for size in {*near, *range(0, len(content), 1021)} if 0 <= size < len(content)
    )


def next_number(folder: Path, damaged: bytes, state: Path) -> int:
    """Return the first number that is assigned if the file in `state` has been damaged."""
    shutil.copytree(state, folder)
    (folder / NAME).write_bytes(damaged)
    outbox = open_outbox(folder)
    seq = outbox.put({"n": 1})
    assert outbox.warning == ""
    outbox.close()
    return seq


@pytest.mark.slow
def test_numbers_continue_after_every_cut(tmp_path: Path, delivered: Path) -> None:
    content = (delivered / NAME).read_bytes()
    numbers = {next_number(tmp_path / str(n), content[:n], delivered) for n in cuts(content)}
    assert numbers == {41}


@pytest.mark.slow
def test_numbers_continue_after_random_damage(tmp_path: Path, delivered: Path) -> None:
    content = (delivered / NAME).read_bytes()
    chance = random.Random(1)
    numbers = set()
    for n in range(120):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 10, 500])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        numbers.add(next_number(tmp_path / str(n), bytes(damaged), delivered))
    assert min(numbers) == 41
    assert max(numbers) < 41 + MAX_SEQ_GAP  # a damaged row may have a higher number


@pytest.mark.slow
def test_numbers_are_not_assigned_again_without_the_record(tmp_path: Path, delivered: Path) -> None:
    """As the previous version left it: the number is not known after some cuts."""
    content = (delivered / NAME).read_bytes()
    shutil.copytree(delivered, tmp_path / "old")
    (tmp_path / "old" / f"{NAME}.seq").unlink(missing_ok=True)
    for size in cuts(content):
        assert next_number(tmp_path / str(size), content[:size], tmp_path / "old") > 40


def test_numbers_continue_after_an_older_copy_was_restored(tmp_path: Path) -> None:
    path = fill_outbox(tmp_path, 10)
    older = path.read_bytes()
    outbox = open_outbox(tmp_path)
    for _ in range(10):
        outbox.put({})
    outbox.close()
    path.write_bytes(older)
    again = open_outbox(tmp_path)
    assert again.put({}) == 21
    again.close()


def test_numbers_continue_after_the_file_was_deleted(tmp_path: Path) -> None:
    fill_outbox(tmp_path, 10).unlink()
    outbox = open_outbox(tmp_path)
    assert outbox.put({}) == 11
    outbox.close()


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 8192, b" " * 8192, b"00000000 {}\n"])
def test_damaged_record_is_written_again(tmp_path: Path, content: bytes) -> None:
    path = fill_outbox(tmp_path, 10)
    record = path.with_name(f"{NAME}.seq")
    record.write_bytes(content)
    open_outbox(tmp_path).close()
    path.unlink()
    outbox = open_outbox(tmp_path)
    assert outbox.put({}) == 11
    outbox.close()


def test_torn_record_leaves_the_number_before(tmp_path: Path) -> None:
    """A power cut during a write damages at most the slot that is being written."""
    path = fill_outbox(tmp_path, 10)
    record = path.with_name(f"{NAME}.seq")
    content = record.read_bytes()
    path.unlink()
    found = set()
    for at in (0, 4096):
        torn = bytearray(content)
        torn[at : at + 30] = b"\0" * 30
        record.write_bytes(torn)
        outbox = open_outbox(tmp_path)
        found.add(outbox.put({}))
        outbox.close()
        path.unlink()
    assert found == {10, 11}


def test_disk_without_any_place_for_the_number_uses_the_clock(tmp_path: Path) -> None:
    clock = MomentClock()
    fill_outbox(tmp_path, 10)
    numbers = []
    with read_only(tmp_path):
        for _ in range(3):
            outbox = open_outbox(tmp_path, clock=clock)
            numbers += [outbox.put({}) for _ in range(4)]
            clock.now = replace(clock.now, utc_s=clock.now.utc_s + 0.001)
    assert len(set(numbers)) == 12
    assert [number - numbers[0] for number in numbers[:4]] == [0, 1, 2, 3]
    assert min(numbers) == START.utc_s * 1_000_000


def test_long_list_of_alerts_leaves_the_number_readable(tmp_path: Path) -> None:
    (tmp_path / "state" / f"{NAME}-wal").mkdir(parents=True)  # the database cannot be opened
    outbox = open_outbox(tmp_path / "state")
    last = 0
    for n in range(50):
        last = outbox.put({"event_type": "no_mask_start", "id": f"door1-{n}", "text": "x" * 300})
    again = open_outbox(tmp_path / "state")
    assert again.put({}) == last + 1
    assert again.running()[-1].payload["id"] == "door1-49"
    again.close()
