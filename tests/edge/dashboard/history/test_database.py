"""Opening a database: addresses, errors, and the order of locks."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.common.errors import UsageError, UserError
from edge.dashboard.history.database import chunks, lock_devices, open_database, switch_to_wal
from edge.dashboard.history.retention import delete_expired
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import devices, metadata
from tests.support.dashboard.events import NOW_S, message, visit
from tests.support.dashboard.postgres import Postgres


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("no address", UsageError, "is not a database URL"),
        ("mysql://x/y", UsageError, "must be sqlite or postgresql"),
        ("sqlite://", UsageError, "needs the path of a file"),
        ("sqlite:////nowhere/at/all.sqlite3", UserError, "cannot use the database"),
        pytest.param(
            "postgresql://u:hush@127.0.0.1:1/x",
            UserError,
            "cannot use the database",
            marks=pytest.mark.slow,  # needs psycopg
        ),
    ],
)
def test_unusable_address_is_reported(address: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as found:
        open_database(address)
    assert "hush" not in str(found.value)


def test_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nonsense" * 200)
    with pytest.raises(UserError, match="not a database"):
        open_database(f"sqlite:///{tmp_path}/x")


def test_default_is_a_file_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    open_database("").dispose()
    assert (tmp_path / "state" / "dashboard.sqlite3").is_file()


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    with engine.connect() as db:
        assert db.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert db.scalar(sa.text("PRAGMA synchronous")) == 2  # FULL
    engine.dispose()


def test_chunks_cover_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.history.database.MAX_ROWS_PER_STATEMENT", 2)
    assert list(chunks("abcde")) == ["ab", "cd", "e"]
    assert list(chunks("")) == []


def test_locked_devices_are_returned_in_order(engine: sa.Engine) -> None:
    HistoryStore(engine).update_last_seen(dict.fromkeys(["b", "C", "a", "d"], NOW_S))
    with engine.begin() as db:
        rows = lock_devices(db, ["d", "b", "C", "x"], devices.c.device != "d")
    assert [row.device for row in rows] == ["C", "b"]


def test_all_transactions_lock_in_one_order(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables are locked in the order of the metadata, and devices by name, to avoid deadlocks."""
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 2)
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_RETIRED", 0)
    order = [table.name for table in metadata.tables.values()]
    transactions: list[list[str]] = [[]]
    locked = []

    @sa.event.listens_for(engine, "begin")
    def _(*_: object) -> None:
        transactions.append([])

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if found := re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement):
            transactions[-1].append(found[1])
        elif statement.endswith("FOR UPDATE"):
            assert 'ORDER BY devices.device COLLATE "C"' in statement.replace("(", "")
            locked.append(statement)
            transactions[-1].append("devices")

    store = HistoryStore(engine)
    for name in "cab":
        store.write_events([e for n in range(1, 30, 2) for e in visit(n, name)], NOW_S)
    store.retire_devices(["a"], NOW_S)
    store.restore_devices(["b", "a"], NOW_S)
    store.retire_devices(["c"], NOW_S)
    delete_expired(engine, NOW_S + 20 * 86_400.0, 10.0, 1)
    for transaction in transactions:
        # Only the first use counts: a transaction may later use a locked table again.
        first_uses = [order.index(name) for name in dict.fromkeys(transaction)]
        assert first_uses == sorted(first_uses), transaction
    assert sum("devices" in transaction for transaction in transactions) >= 7
    if engine.dialect.name == "postgresql":
        assert len(locked) >= 6


def test_device_is_locked_while_its_event_is_written(postgres: Postgres) -> None:
    address = postgres.empty_database()
    engine, other = open_database(address), open_database(address)
    store = HistoryStore(engine)
    store.update_last_seen({"door1": NOW_S})
    attempts = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def _(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO devices"):
            with other.connect() as db:
                db.execute(sa.text("SET lock_timeout = '50ms'"))
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    db.execute(sa.delete(devices))
            attempts.append(statement)

    assert store.write_events([message()], NOW_S).new == 1
    assert len(attempts) == 1
    for opened in (engine, other):
        opened.dispose()


def test_change_to_wal_mode_waits_for_a_reader_where_sqlite_does_not(tmp_path: Path) -> None:
    """Without a time-out of SQLite's own, as it answers when two dashboards change the mode."""
    path = tmp_path / "old.sqlite3"
    reader = sqlite3.connect(path, check_same_thread=False)
    reader.execute("CREATE TABLE rows (number)")
    reader.executemany("INSERT INTO rows VALUES (?)", [(1,), (2,)])
    reader.commit()
    read = reader.execute("SELECT * FROM rows")
    assert read.fetchone() == (1,)  # the second row is not read: the file stays locked
    db = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        db.execute("PRAGMA journal_mode=WAL")
    done = threading.Timer(0.3, read.close)
    done.start()
    switch_to_wal(db.cursor())
    done.join()
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
    reader.close()
