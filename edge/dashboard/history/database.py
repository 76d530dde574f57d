"""Opening the dashboard's database, and SQL that several modules need."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from edge.common.errors import UsageError, UserError
from edge.common.file_access import access_problem
from edge.common.paths import make_private, state_directory, user_path
from edge.dashboard.history.migrate import NewerSchemaError, upgrade_schema
from edge.dashboard.history.tables import devices

#: 1970-01-01 00:00 UTC.
JULIAN_DAY_OF_EPOCH = 2_440_587.5
#: Rows that one statement may carry: SQLite takes some 30,000 values in one statement.
MAX_ROWS_PER_STATEMENT = 500
#: How long a dashboard waits for another one that locks an SQLite database, and how often it tries
#: again where SQLite does not wait.
LOCK_WAIT_S, LOCK_RETRY_S = 10, 0.05


def open_database(address: str) -> sa.Engine:
    """Open the database at `address` and bring its schema up to date.

    `address` is an SQLAlchemy URL; if it is empty, the database is a file in the state directory.
    Raises UserError when the database cannot be used, UsageError for an invalid URL.
    """
    url = _parse_url(address)
    try:
        engine = sa.create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except ImportError:
        raise UserError(
            "PostgreSQL needs its driver: pip install '.[postgres]' in a clone of the repository"
        ) from None
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _tune_sqlite)
    try:
        upgrade_schema(engine)
    except (sa.exc.SQLAlchemyError, NewerSchemaError) as error:
        engine.dispose()
        raise UserError(describe_database_error(url, error)) from None
    return engine


def upsert(engine: sa.Engine, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that supports ON CONFLICT, in the dialect of `engine`."""
    if engine.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def database_time_s(engine: sa.Engine) -> sa.ColumnElement[float]:
    """Return an expression for the present time by the clock of the database's machine.

    It is in seconds since the epoch. Dashboards that share a database compare their times by this
    clock, because the clocks of their own machines may differ.
    """
    if engine.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
    return (sa.func.julianday("now") - JULIAN_DAY_OF_EPOCH) * 86_400.0


def lock_devices(
    db: sa.Connection, names: Iterable[str], *conditions: sa.ColumnElement[bool]
) -> list[sa.Row[Any]]:
    """Lock and return the rows of those `names` that meet `conditions`.

    No other transaction can change them until this one ends. Every transaction that changes
    several devices locks them first, in this order, so that two transactions cannot deadlock.
    """
    # Collation "C" sorts as Python does, whatever the locale of the database.
    by_name = devices.c.device.collate("C") if db.dialect.name == "postgresql" else devices.c.device
    rows: list[sa.Row[Any]] = []
    for chunk in chunks(sorted(names)):
        query = sa.select(devices).where(devices.c.device.in_(chunk), *conditions)
        rows += db.execute(query.order_by(by_name).with_for_update())
    return rows


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Split `items` into sequences that one statement can carry."""
    for start in range(0, len(items), MAX_ROWS_PER_STATEMENT):
        yield items[start : start + MAX_ROWS_PER_STATEMENT]


def describe_database_error(url: URL, error: Exception) -> str:
    """Return one line that names the database and the cause, without the password in `url`."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        files = [Path(f"{url.database}{end}") for end in ("", "-wal", "-shm", "-journal")]
        cause = [denied] if (denied := access_problem(files)) else cause
    shown = url.render_as_string(hide_password=True)
    return f"cannot use the database {shown}: {cause[0] if cause else type(error).__name__}"


def _parse_url(address: str) -> URL:
    if not address:
        folder = state_directory()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = access_problem([folder / "dashboard.sqlite3"]) or error.strerror
            raise UserError(f"cannot create the folder {folder}: {reason}") from None
        path = folder / "dashboard.sqlite3"
        _make_files_private(path)
        return URL.create("sqlite", database=str(path))
    try:
        url = make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(
            "`dashboard.database` is not a database URL: write"
            " sqlite:////folder/file.sqlite3 or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise UsageError("`dashboard.database`: SQLite needs the path of a file")
        path = user_path(url.database)
        _make_files_private(path)
        return url.set(database=str(path))
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"`dashboard.database` must be sqlite or postgresql, not {backend!r}")


def _make_files_private(database: Path) -> None:
    """Keep other users from reading the files of an SQLite database of an earlier version."""
    for suffix in ("", "-wal", "-shm"):
        make_private(database.with_name(database.name + suffix))


def switch_to_wal(cursor: Any) -> None:
    """Switch the SQLite database of `cursor` to WAL mode.

    Raises sqlite3.OperationalError if another process locks it for more than `LOCK_WAIT_S`. If two
    dashboards switch an old file at the same time, both wait to be its only reader. SQLite then
    tells one of them at once that the file is locked, in spite of `busy_timeout`.
    """
    give_up_at_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at_s:
                raise
        time.sleep(LOCK_RETRY_S)


def _tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_S * 1000}")
    switch_to_wal(cursor)
    # The mode is FULL, because the broker deletes what the dashboard acknowledged: with NORMAL a
    # power cut could lose the last commits, and events that the broker does not send again.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-16000")
    cursor.close()
