"""Bringing the database's schema up to date, with Alembic.

Several dashboards may open the same new or old database at once. Each takes a lock of the database
and migrates in one transaction: the first one migrates, and the others find the schema up to date
when they get the lock. If a migration fails, the database stays as it was.
"""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

log = logging.getLogger(__name__)

#: Alembic's script directory; it is installed with the package.
SCRIPTS = Path(__file__).parent / "migrations"
#: The table with the database's revision. Alembic's default name could belong to another program
#: that uses the same PostgreSQL schema.
VERSION_TABLE = "mask_patrol_schema_version"
#: The revisions in `migrations/versions`, oldest first. They are repeated here so that opening a
#: database that is up to date does not import Alembic, which takes 0.3 s and 9 MB on a desktop.
REVISIONS = ("0001", "0002", "0003")
#: The key of PostgreSQL's advisory lock for migrations; no other program is likely to use it.
MIGRATION_LOCK = int.from_bytes(b"maskptrl", "big")


class NewerSchemaError(Exception):
    """The database was written by a newer version of Mask Patrol."""


def upgrade_schema(engine: sa.Engine) -> None:
    """Create the tables, or bring those of an earlier version to the newest revision.

    Raises NewerSchemaError if this version does not know the database's revision, and
    sqlalchemy.exc.SQLAlchemyError if the database fails.
    """
    with engine.connect() as db:
        if _is_current(_revision(db)):
            return
    with engine.connect() as db:
        _lock(db)
        before = _revision(db)
        if not _is_current(before):
            log.info(*_announcement(db, before))
            _run_alembic(db)
            log.info("the database is at revision %s", REVISIONS[-1])
        db.commit()


def _is_current(revision: str) -> bool:
    """Return whether there is nothing to migrate; raises NewerSchemaError."""
    if revision and revision not in REVISIONS:
        raise NewerSchemaError(
            f"its schema (revision {revision}) was written by a newer version of Mask Patrol;"
            " install that version, or set `dashboard.database` to another database"
        )
    return revision == REVISIONS[-1]


def _revision(db: sa.Connection) -> str:
    """Return the database's revision; empty if it is new, or if a version of Mask Patrol without
    Alembic created it."""
    if not sa.inspect(db).has_table(VERSION_TABLE):
        return ""
    return db.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")) or ""


def _lock(db: sa.Connection) -> None:
    """Begin a transaction during which no other dashboard can migrate this database."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    else:
        # By itself the driver begins a transaction only at the first INSERT, UPDATE or DELETE, and
        # would run CREATE TABLE without one.
        db.exec_driver_sql("BEGIN IMMEDIATE")


def _announcement(db: sa.Connection, before: str) -> tuple[str, ...]:
    """Return a log message, with its arguments, that says what is about to be migrated."""
    if before:
        return "migrating the database from revision %s", before
    if sa.inspect(db).has_table("alerts"):
        return ("migrating a database that an earlier version created without a schema revision",)
    return ("creating the tables of the database",)


def _run_alembic(db: sa.Connection) -> None:
    # Alembic's own messages describe its internals, some of them while it is imported; this module
    # logs what is migrated.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = db
    command.upgrade(config, "head")
