"""Alembic's environment: runs the revisions on the connection, and in the transaction, of
`edge.dashboard.history.migrate`."""

from __future__ import annotations

from alembic import context

from edge.dashboard.history.migrate import VERSION_TABLE
from edge.dashboard.history.tables import metadata


def run_migrations() -> None:
    """Run the revisions that the database does not have yet."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite cannot alter columns, so Alembic copies the table
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file under a name of its own; importing it as a module runs nothing.
if not __name__.startswith("edge."):
    run_migrations()
