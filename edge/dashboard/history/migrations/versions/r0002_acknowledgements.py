"""Add who acknowledged an alert, and a note about it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns that the table lacks."""
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("alerts")}
    for column in (
        sa.Column("acknowledged_by", sa.String(80)),
        sa.Column("note", sa.String(200)),
    ):
        if column.name not in present:
            op.add_column("alerts", column)
