"""The file with the counts of wrong passwords."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

import edge.dashboard.access.attempt_store as module
from edge.dashboard.access.attempt_store import AttemptStore, StoredCount

COUNTS = [StoredCount(f"192.0.2.{number}", number, 100.0 + number) for number in range(1, 7)]


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
    assert again.load() == [changed, COUNTS[2]]
    store.close()
    again.close()


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
    assert store.load() == COUNTS[:1:-1]
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
    assert AttemptStore(path).load() == [COUNTS[0]]


def test_unusable_file_is_reported_and_counts_are_kept_in_memory(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir(parents=True)
    store = AttemptStore(path)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "so a restart forgets wrong passwords" in caplog.text
    store.save(COUNTS[0])
    assert store.load() == [COUNTS[0]]


def test_failure_while_running_is_reported(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = AttemptStore(path)
    store.close()
    store.save(COUNTS[0])
    store.delete(COUNTS[0].client)
    assert store.load() == []
    assert "wrong passwords cannot be kept for the next start" in caplog.text
