"""The file with the counts of wrong passwords."""

from __future__ import annotations

import logging
import sqlite3
import stat
from pathlib import Path

import pytest

import edge.dashboard.access.attempt_store as module
from edge.dashboard.access.attempt_store import AttemptStore, StoredCount
from edge.dashboard.access.login_throttle import RESET_AFTER_S

COUNTS = [StoredCount(f"192.0.2.{number}", number, 100.0 + number) for number in range(1, 7)]
NOW_S = 300.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "attempts.sqlite3"


def test_counts_are_read_again_newest_first(path: Path) -> None:
    store = AttemptStore(path)
    for count in COUNTS[:3]:
        store.save(count)
    changed = StoredCount(COUNTS[0].client, 9, 200.0)
    store.save(changed)
    store.delete(COUNTS[1].client)
    # Not closed: the process may be killed at any time.
    again = AttemptStore(path)
    assert again.load(NOW_S) == [changed, COUNTS[2]]
    store.close()
    again.close()


def test_counts_are_deleted_after_the_time_in_which_they_matter(path: Path) -> None:
    """They contain addresses of people."""
    store = AttemptStore(path)
    store.save(StoredCount("192.0.2.1", 3, 1000.0))
    store.save(StoredCount("192.0.2.2", 3, 1000.0 + RESET_AFTER_S))
    store.save(StoredCount("192.0.2.3", 3, 1001.0 + RESET_AFTER_S))
    other = sqlite3.connect(path)
    shown = "SELECT client FROM attempts ORDER BY number"
    assert other.execute(shown).fetchall() == [("192.0.2.2",), ("192.0.2.3",)]
    store.close()
    again = AttemptStore(path)
    assert again.load(1000.5 + 2 * RESET_AFTER_S) == [
        StoredCount("192.0.2.3", 3, 1001.0 + RESET_AFTER_S)
    ]
    assert other.execute(shown).fetchall() == [("192.0.2.3",)]
    other.close()
    again.close()


def test_count_is_not_kept_longer_after_the_clock_was_set_back(path: Path) -> None:
    store = AttemptStore(path)
    store.save(StoredCount("192.0.2.1", 3, 1e9))
    assert store.load(1000.0) == [StoredCount("192.0.2.1", 3, 1000.0)]
    assert store.load(1001.0 + RESET_AFTER_S) == []
    store.close()


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    store = AttemptStore(path)
    store.save(COUNTS[0])
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    store.close()


def test_number_of_counts_is_limited(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STORED", 4)
    store = AttemptStore(path)
    for count in COUNTS:
        store.save(count)
    assert store.load(NOW_S) == COUNTS[:1:-1]
    store.close()


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + b"x" * 9000])
def test_damaged_file_is_replaced(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = AttemptStore(path)
    assert "is damaged and is replaced" in caplog.text
    store.save(COUNTS[0])
    store.close()
    assert AttemptStore(path).load(NOW_S) == [COUNTS[0]]


def test_unusable_file_is_reported_and_counts_are_kept_in_memory(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir(parents=True)
    store = AttemptStore(path)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "so a restart forgets wrong passwords" in caplog.text
    store.save(COUNTS[0])
    assert store.load(NOW_S) == [COUNTS[0]]


def test_failure_while_running_is_reported(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = AttemptStore(path)
    store.close()
    store.save(COUNTS[0])
    store.delete(COUNTS[0].client)
    assert store.load(NOW_S) == []
    assert "wrong passwords cannot be kept for the next start" in caplog.text
