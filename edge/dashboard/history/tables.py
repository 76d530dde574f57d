"""The tables of the history, and how the database is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from edge.common.errors import UsageError, UserError
from edge.common.paths import state_directory, user_path

#: Rows that one statement bears: SQLite takes some 30,000 values in one.
MAX_ROWS_PER_STATEMENT = 500

# Transactions change tables in the order in which they stand here, lest they wait for each other.
metadata = sa.MetaData()

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger),
    sa.Column("last_seq", sa.BigInteger),
    sa.Column("forgotten", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_seen_s", sa.Double),
    # When it came; those that were there before this was noted came first.
    sa.Column("first_seen_s", sa.Double),
    # Since when it is listed no more, until it speaks again.
    sa.Column("retired_s", sa.Double),
)

#: What was received, to know what comes twice.
events = sa.Table(
    "events",
    metadata,
    sa.Column("episode", sa.String(96), primary_key=True),
    sa.Column("event_type", sa.String(16), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("received_s", sa.Double, nullable=False),
)

#: One row for each episode; its end may come before its start, and either may be missing.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("episode", sa.String(96), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("camera", sa.String(64), nullable=False),
    sa.Column("label", sa.String(32), nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("readings", sa.BigInteger, nullable=False),
    sa.Column("started_s", sa.Double, nullable=False),
    sa.Column("ended_s", sa.Double),
    sa.Column("ended_by", sa.String(16)),
    sa.Column("duration_s", sa.Double),
    sa.Column("clock_synced", sa.Boolean, nullable=False),
    sa.Column("replayed", sa.Boolean, nullable=False),
    sa.Column("model", sa.String(80), nullable=False),
    sa.Column("acknowledged_s", sa.Double),
    sa.Column("updated_s", sa.Double, nullable=False),
    sa.Index("alerts_by_time", "started_s", "episode"),
    sa.Index("alerts_by_device", "device", "started_s", "episode"),
    sa.Index("alerts_open", "ended_s", "started_s"),
    sa.Index("alerts_by_end", "ended_by", "started_s", "episode"),
    sa.Index("alerts_by_update", "updated_s"),
)

# How many alerts began in each hour and day (since the epoch, UTC), so that a year of them is
# drawn at once: by device and hour, by device and day, and of all devices by hour.
hourly = sa.Table(
    "hourly",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
    sa.Index("hourly_by_hour", "hour"),
)
daily = sa.Table(
    "daily",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
)
totals = sa.Table(
    "totals",
    metadata,
    sa.Column("hour", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
)

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger, primary_key=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("noticed_s", sa.Double, nullable=False),
)

#: Figures over time, one row for each device and minute or so.
figures = sa.Table(
    "figures",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("at_s", sa.Double, primary_key=True),
    sa.Column("fps", sa.Double),
    sa.Column("frame_ms", sa.Double),
    sa.Column("temperature_c", sa.Double),
    sa.Column("memory_mb", sa.Double),
    sa.Column("outbox_depth", sa.Double),
    sa.Index("figures_by_time", "at_s"),
)

#: What went wrong, in words.
troubles = sa.Table(
    "troubles",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("text", sa.String(700), nullable=False),
    sa.Index("troubles_by_device", "device", "at_s"),
    sa.Index("troubles_by_time", "at_s"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("password_tag", sa.String(16), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("used_s", sa.Double, nullable=False),
)


#: The lock of PostgreSQL under which tables are made: a number that nobody else takes.
MIGRATION_LOCK = int.from_bytes(b"maskptrl", "big")

#: The dashboards that share this database, and when each was last there.
dashboards = sa.Table(
    "dashboards",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seen_s", sa.Double, nullable=False),
)


def open_database(address: str) -> sa.Engine:
    """The database at `address`, a URL of SQLAlchemy's, with its tables; empty: a file in the
    state directory. Raises UserError when it cannot be used, UsageError for a wrong URL."""
    url = _url(address)
    try:
        engine = sa.create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except ImportError:
        raise UserError(
            "PostgreSQL needs its driver: pip install 'mask-patrol[postgres]'"
        ) from None
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _tune_sqlite)
    try:
        _make_tables(engine)
        _add_columns(engine, devices)
    except sa.exc.SQLAlchemyError as error:
        raise UserError(describe_database_error(url, error)) from None
    return engine


def _make_tables(engine: sa.Engine) -> None:
    """Those that are missing; dashboards that share a new database make them one after another."""
    with engine.begin() as db:
        if engine.dialect.name == "postgresql":
            db.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        metadata.create_all(db)


def _add_columns(engine: sa.Engine, table: sa.Table) -> None:
    """Those that a table of an earlier version lacks; they may be null."""
    there = _columns(engine, table)
    # Another dashboard may be quicker; SQLite can only be asked again.
    unless = "IF NOT EXISTS " if engine.dialect.name == "postgresql" else ""
    for column in table.c:
        if column.name not in there:
            what = f"{unless}{column.name} {column.type.compile(engine.dialect)}"
            try:
                with engine.begin() as db:
                    db.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {what}"))
            except sa.exc.OperationalError:
                if column.name not in _columns(engine, table):
                    raise


def _columns(engine: sa.Engine, table: sa.Table) -> set[str]:
    return {column["name"] for column in sa.inspect(engine).get_columns(table.name)}


def upsert(engine: sa.Engine, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, in the dialect of `engine`."""
    if engine.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def lock_devices(
    db: sa.Connection, names: Iterable[str], *those: sa.ColumnElement[bool]
) -> list[sa.Row[Any]]:
    """The rows of these devices, as far as they are `those`: nobody else may change them until the
    transaction ends.

    All who change several lock them first, and in this order, lest they wait for each other.
    """
    # As Python sorts, whatever the language of the database.
    by_name = devices.c.device.collate("C") if db.dialect.name == "postgresql" else devices.c.device
    rows: list[sa.Row[Any]] = []
    for part in chunks(sorted(names)):
        query = sa.select(devices).where(devices.c.device.in_(part), *those)
        rows += db.execute(query.order_by(by_name).with_for_update())
    return rows


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many of them at a time as one statement bears."""
    for start in range(0, len(items), MAX_ROWS_PER_STATEMENT):
        yield items[start : start + MAX_ROWS_PER_STATEMENT]


def describe_database_error(url: URL, error: sa.exc.SQLAlchemyError) -> str:
    """One line; the password in `url` is not shown."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()
    shown = url.render_as_string(hide_password=True)
    return f"cannot use the database {shown}: {cause[0] if cause else type(error).__name__}"


def _url(address: str) -> URL:
    if not address:
        folder = state_directory()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot create the folder {folder}: {error.strerror}") from None
        return URL.create("sqlite", database=str(folder / "dashboard.sqlite3"))
    try:
        url = make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(
            "`dashboard.database` is no address of a database: write"
            " sqlite:////folder/file.sqlite3 or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise UsageError("`dashboard.database`: sqlite needs a file")
        return url.set(database=str(user_path(url.database)))
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"`dashboard.database`: sqlite or postgresql, not {backend!r}")


def _tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A power cut may take the last second's commits, but the broker then sends them again:
    # FULL makes sure of what was acknowledged.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA cache_size=-16000")
    cursor.close()
