"""Migrations of the schema: new, old and newer databases, and several processes at once."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from edge.common.errors import UserError
from edge.dashboard.history import migrate
from edge.dashboard.history.database import open_database
from edge.dashboard.history.migrate import VERSION_TABLE
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import metadata
from tests.support.cli_process import environment
from tests.support.dashboard.events import message

SCHEMAS = Path(__file__).parent / "schemas"
#: One row for each table of the last version without Alembic, by column.
ROWS: dict[str, dict[str, Any]] = {
    "devices": {
        "device": "door1", "first_seq": 1, "last_seq": 9, "forgotten": 2, "last_seen_s": 1000.5,
        "first_seen_s": 900.25, "retired_s": None,
    },
    "events": {
        "episode": "door1-E", "event_type": "no_mask_start", "device": "door1", "seq": 1,
        "received_s": 950.0,
    },
    "alerts": {
        "episode": "door1-E", "device": "door1", "camera": "entrance", "label": "no_mask",
        "score": 0.93, "readings": 2**40, "started_s": 949.5, "ended_s": 953.5, "ended_by": "left",
        "duration_s": 4.0, "clock_synced": True, "replayed": False, "model": "sha256:0",
        "acknowledged_s": 960.0, "updated_s": 961.0,
    },
    "hourly": {"device": "door1", "hour": 5, "label": "no_mask", "alerts": 7},
    "daily": {"day": 1, "device": "door1", "label": "no_mask", "alerts": 8},
    "totals": {"hour": 5, "label": "no_mask", "alerts": 9},
    "gaps": {"device": "door1", "first_seq": 3, "last_seq": 2**40, "noticed_s": 951.0},
    "figures": {
        "device": "door1", "at_s": 952.0, "fps": 9.75, "frame_ms": None, "temperature_c": 61.5,
        "memory_mb": 97.0, "outbox_depth": 0.0,
    },
    "troubles": {"number": 4, "device": "door1", "at_s": 953.0, "text": "went offline"},
    "sessions": {
        "token_sha256": "a" * 64, "password_tag": "b" * 16, "created_s": 900.0, "used_s": 950.0,
    },
    "dashboards": {"name": "one", "seen_s": 999.0},
}  # fmt: skip
#: The tables, and the columns of `devices`, that the first release did not have.
ADDED_TABLES = {"daily", "totals", "dashboards"}
ADDED_COLUMNS = {"first_seen_s", "retired_s"}
#: A program that waits for a line on standard input and then opens the database in its argument.
OPEN_CODE = (
    "import sys; from edge.dashboard.history.database import open_database\n"
    "print('ready', flush=True); sys.stdin.readline(); open_database(sys.argv[1]).dispose()"
)


def connect(address: str) -> sa.Engine:
    """Return an engine for the database without migrating it."""
    url = sa.make_url(address)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return sa.create_engine(url)


def create_old_database(address: str, schema: str) -> dict[str, dict[str, Any]]:
    """Create the tables of an earlier version with a row in each; return these rows."""
    rows = {
        table: {
            name: value
            for name, value in row.items()
            if schema != "first_release" or table != "devices" or name not in ADDED_COLUMNS
        }
        for table, row in ROWS.items()
        if schema != "first_release" or table not in ADDED_TABLES
    }
    engine = connect(address)
    with engine.begin() as db:
        text = (SCHEMAS / f"{schema}.{engine.dialect.name}.sql").read_text()
        for statement in text.split(";"):
            if statement.strip():
                db.exec_driver_sql(statement)
        for table, row in rows.items():
            names = ", ".join(row)
            places = ", ".join(f":{name}" for name in row)
            db.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)
    engine.dispose()
    return rows


def read_rows(engine: sa.Engine, rows: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the contents of the tables and columns that `rows` has."""
    with engine.connect() as db:
        return {
            table: [
                dict(row)
                for row in db.execute(
                    sa.select(*(metadata.tables[table].c[name] for name in row))
                ).mappings()
            ]
            for table, row in rows.items()
        }


def schema_differences(engine: sa.Engine) -> list[Any]:
    """Return how the database differs from `edge.dashboard.history.tables`, as Alembic sees it."""
    with engine.connect() as db:
        return list(
            compare_metadata(
                MigrationContext.configure(db, opts={"version_table": VERSION_TABLE}), metadata
            )
        )


def revision(engine: sa.Engine) -> str | None:
    with engine.connect() as db:
        return db.scalar(sa.text("SELECT version_num FROM mask_patrol_schema_version"))


@pytest.mark.slow
def test_new_database_has_the_schema_of_the_code(address: str) -> None:
    engine = open_database(address)
    assert schema_differences(engine) == []
    assert revision(engine) == migrate.REVISIONS[-1]
    engine.dispose()


def test_revisions_match_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(reversed([script.revision for script in scripts])) == migrate.REVISIONS


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["first_release", "before_alembic"])
def test_old_database_is_migrated_and_keeps_rows(address: str, schema: str) -> None:
    rows = create_old_database(address, schema)
    engine = open_database(address)
    assert read_rows(engine, rows) == {table: [row] for table, row in rows.items()}
    assert schema_differences(engine) == []
    assert revision(engine) == migrate.REVISIONS[-1]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["first_release", "before_alembic"])
def test_migrated_database_takes_new_events(address: str, schema: str) -> None:
    create_old_database(address, schema)
    engine = open_database(address)
    assert HistoryStore(engine).write_events([message("door2", 1)], 2000.0).new == 1
    HistoryStore(engine).retire_devices(["door1"], 2000.0)
    names = [name for name, _ in HistoryQueries(engine).listed_devices()]
    assert names == ["door2"]
    engine.dispose()


@pytest.mark.slow
def test_missing_index_is_created(address: str) -> None:
    open_database(address).dispose()
    engine = connect(address)
    with engine.begin() as db:
        db.execute(sa.text("DROP TABLE mask_patrol_schema_version"))
        db.execute(sa.text("DROP INDEX alerts_by_end"))
    open_database(address).dispose()
    assert "alerts_by_end" in {index["name"] for index in sa.inspect(engine).get_indexes("alerts")}
    engine.dispose()


@pytest.fixture
def add_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives the migrations one more revision, "9999", which adds a column.

    Its argument is one more statement of that revision.
    """

    def add(statement: str = "pass") -> None:
        scripts = tmp_path / "migrations"
        shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / "versions" / "r9999_note.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f'revision, down_revision = "9999", "{migrate.REVISIONS[-1]}"\n'
            "def upgrade():\n"
            '    note = sa.Column("note", sa.String(9), server_default="none")\n'
            f'    op.add_column("dashboards", note)\n    {statement}\n'
        )
        monkeypatch.setattr(migrate, "SCRIPTS", scripts)
        monkeypatch.setattr(migrate, "REVISIONS", (*migrate.REVISIONS, "9999"))

    return add


@pytest.mark.slow
@pytest.mark.parametrize("is_baseline", [False, True])
def test_later_revision_is_applied(
    address: str, is_baseline: bool, add_revision: Callable[..., None]
) -> None:
    create_old_database(address, "before_alembic")
    if is_baseline:
        open_database(address).dispose()
    add_revision()
    engine = open_database(address)
    assert revision(engine) == "9999"
    with engine.connect() as db:
        assert db.execute(sa.text("SELECT name, note FROM dashboards")).all() == [("one", "none")]
    engine.dispose()


def test_failed_migration_changes_nothing(address: str, add_revision: Callable[..., None]) -> None:
    rows = create_old_database(address, "first_release")
    add_revision('op.drop_table("no_such_table")')
    with pytest.raises(UserError, match="no_such_table"):
        open_database(address)
    engine = connect(address)
    assert set(sa.inspect(engine).get_table_names()) == set(rows)
    assert read_rows(engine, rows) == {table: [row] for table, row in rows.items()}
    engine.dispose()


def test_newer_database_is_refused_unchanged(address: str) -> None:
    open_database(address).dispose()
    engine = connect(address)
    with engine.begin() as db:
        db.execute(sa.text("UPDATE mask_patrol_schema_version SET version_num = '9999'"))
    with pytest.raises(
        UserError, match=r"schema \(revision 9999\) was written by a newer version"
    ) as error:
        open_database(address)
    assert "cannot use the database" in str(error.value)
    assert revision(engine) == "9999"
    engine.dispose()


def test_migration_is_logged_once(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    open_database(address).dispose()
    logged = [record.getMessage() for record in caplog.records]
    assert logged[0].startswith("creating the tables of the database")
    assert logged[-1] == f"the database is at revision {migrate.REVISIONS[-1]}"
    caplog.clear()
    open_database(address).dispose()
    assert caplog.records == []


@pytest.mark.slow
def test_current_database_does_not_import_alembic(address: str, tmp_path: Path) -> None:
    open_database(address).dispose()
    code = OPEN_CODE + "\nprint('alembic' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code, address],
        env=environment(tmp_path), input="\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.split() == ["ready", "False"]


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["", "first_release", "before_alembic"])
def test_processes_migrate_at_once(address: str, schema: str, tmp_path: Path) -> None:
    rows = create_old_database(address, schema) if schema else {}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_CODE, address],
            env=environment(tmp_path), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert results == [("", "", 0)] * 3
    engine = open_database(address)
    assert read_rows(engine, rows) == {table: [row] for table, row in rows.items()}
    assert schema_differences(engine) == []
    engine.dispose()
