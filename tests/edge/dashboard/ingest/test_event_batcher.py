"""The batcher writes every event that the database accepts, whatever error occurs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import open_database
from edge.dashboard.history.store import HistoryStore, WriteResult
from edge.dashboard.ingest.event_batcher import BatcherCallbacks, EventBatcher, is_transient
from tests.support.dashboard.events import NOW_S, message
from tests.support.waiting import wait_until

OVERFLOW = OverflowError("Python int too large to convert to SQLite INTEGER")
OUT_OF_RANGE = sa.exc.DataError("INSERT", {}, Exception("bigint out of range"))
DISK_FULL = sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))


class FailingStore(HistoryStore):
    """A store that raises `failure(events)`, if that is an exception, instead of writing."""

    failure: Callable[[Sequence[EventMessage]], BaseException | None] = staticmethod(lambda _: None)

    def write_events(self, batch: Sequence[EventMessage], now_s: float) -> WriteResult:
        if (error := self.failure(batch)) is not None:
            raise error
        return super().write_events(batch, now_s)


class Harness:
    """A batcher on a SQLite file, with a record of everything that it calls."""

    def __init__(self, engine: sa.Engine) -> None:
        self.store = FailingStore(engine)
        self.acknowledged: list[int] = []
        self.written: list[WriteResult] = []
        self.refused: list[int] = []
        self.storage_errors: list[str] = []
        self.housekeeping: Callable[[], None] = lambda: None
        callbacks = BatcherCallbacks(
            self.written.append,
            lambda event, _: self.refused.append(event.seq),
            self.storage_errors.append,
            self._do_housekeeping,
        )
        self.batcher = EventBatcher(self.store, callbacks, lambda: NOW_S)

    def _do_housekeeping(self) -> None:
        self.housekeeping()

    def put(self, seq: int, qos: int = 1) -> None:
        self.batcher.put(message(seq=seq), lambda: self.acknowledged.append(seq), qos)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    made = Harness(engine)
    yield made
    made.batcher.stop()
    engine.dispose()


def test_stop_writes_the_waiting_events(harness: Harness) -> None:
    for seq in range(1, 1201):
        harness.put(seq)
    harness.batcher.start()
    harness.batcher.stop()
    assert harness.acknowledged == list(range(1, 1201))
    assert [result.new for result in harness.written] == [500, 500, 200]
    assert harness.batcher.written == 1200


def test_events_are_acknowledged_after_the_commit(harness: Harness) -> None:
    acknowledged_before: list[int] = []

    def record(_: Sequence[EventMessage]) -> None:
        acknowledged_before.append(len(harness.acknowledged))

    harness.store.failure = record
    harness.put(1)
    harness.batcher.start()
    harness.batcher.stop()
    assert acknowledged_before == [0]
    assert harness.acknowledged == [1]


@pytest.mark.parametrize("error", [OVERFLOW, OUT_OF_RANGE])
def test_rejected_event_alone_is_skipped(harness: Harness, error: Exception) -> None:
    harness.store.failure = lambda batch: error if any(e.seq == 7 for e in batch) else None
    for seq in range(1, 21):
        harness.put(seq)
    harness.batcher.start()
    harness.batcher.stop()
    assert sorted(harness.acknowledged) == list(range(1, 21))
    assert harness.refused == [7]
    assert harness.batcher.written == 19


def test_failing_database_is_tried_again(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.ingest.event_batcher.RETRY_S", 0.0)
    failures: list[BaseException] = [DISK_FULL, OSError("input/output error")]
    harness.store.failure = lambda _: failures.pop(0) if failures else None
    harness.put(1)
    harness.batcher.start()
    wait_until(lambda: harness.batcher.written == 1, "the event is written")
    assert harness.storage_errors[:2] == [
        "alerts cannot be stored: database or disk is full",
        "alerts cannot be stored: OSError",
    ]
    wait_until(lambda: harness.storage_errors[-1] == "", "the error is cleared")


def test_unwritten_event_is_not_acknowledged(harness: Harness) -> None:
    harness.store.failure = lambda _: DISK_FULL
    harness.put(1)
    harness.batcher.start()
    wait_until(lambda: bool(harness.storage_errors), "the database fails")
    harness.batcher.stop()
    assert harness.acknowledged == []


def test_excess_events_of_qos_0_are_dropped(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.ingest.event_batcher.MAX_WAITING", 3)
    for seq in range(1, 6):
        harness.put(seq, qos=0)
    harness.put(6, qos=1)
    harness.batcher.start()
    harness.batcher.stop()
    assert harness.acknowledged == [1, 2, 3, 6]


def test_failed_housekeeping_does_not_stop_writing(harness: Harness) -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise RuntimeError("a bug")

    harness.housekeeping = fail
    harness.batcher.start()
    assert failed.wait(20.0)
    harness.put(1)
    wait_until(lambda: harness.batcher.written == 1, "the event is written")
    assert harness.acknowledged == [1]


def test_database_error_in_housekeeping_is_reported(harness: Harness) -> None:
    def fail() -> None:
        raise DISK_FULL

    harness.housekeeping = fail
    harness.batcher.start()
    wait_until(lambda: bool(harness.storage_errors), "the error is reported")
    assert harness.storage_errors[0] == "alerts cannot be stored: database or disk is full"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_end_of_the_thread_is_reported(harness: Harness) -> None:
    harness.store.failure = lambda _: SystemExit()
    harness.put(1)
    harness.batcher.start()
    wait_until(
        lambda: any("restart the dashboard" in text for text in harness.storage_errors),
        "the end of the thread is reported",
    )
    assert harness.acknowledged == []


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (DISK_FULL, True),
        (OSError(), True),
        (MemoryError(), True),
        (OVERFLOW, False),
        (OUT_OF_RANGE, False),
        (sa.exc.IntegrityError("INSERT", {}, Exception("not null")), False),
    ],
)
def test_only_rejected_data_is_permanent(error: Exception, transient: bool) -> None:
    assert is_transient(error) == transient
