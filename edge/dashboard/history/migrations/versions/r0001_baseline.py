"""The first revision: the schema of the versions of Mask Patrol that did not use Alembic.

Those versions recorded no revision in the database, and the older ones created fewer tables,
columns and indexes. This revision therefore adds only what is missing, so that it can be applied to
their databases as well as to a new one. No row is changed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

baseline = sa.MetaData()

sa.Table(
    "devices",
    baseline,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger),
    sa.Column("last_seq", sa.BigInteger),
    sa.Column("forgotten", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_seen_s", sa.Double),
    sa.Column("first_seen_s", sa.Double),
    sa.Column("retired_s", sa.Double),
)

sa.Table(
    "events",
    baseline,
    sa.Column("episode", sa.String(96), primary_key=True),
    sa.Column("event_type", sa.String(16), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("received_s", sa.Double, nullable=False),
)

sa.Table(
    "alerts",
    baseline,
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

sa.Table(
    "hourly",
    baseline,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
    sa.Index("hourly_by_hour", "hour"),
)
sa.Table(
    "daily",
    baseline,
    sa.Column("day", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
)
sa.Table(
    "totals",
    baseline,
    sa.Column("hour", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(32), primary_key=True),
    sa.Column("alerts", sa.Integer, nullable=False),
)

sa.Table(
    "gaps",
    baseline,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger, primary_key=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("noticed_s", sa.Double, nullable=False),
)

sa.Table(
    "figures",
    baseline,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("at_s", sa.Double, primary_key=True),
    sa.Column("fps", sa.Double),
    sa.Column("frame_ms", sa.Double),
    sa.Column("temperature_c", sa.Double),
    sa.Column("memory_mb", sa.Double),
    sa.Column("outbox_depth", sa.Double),
    sa.Index("figures_by_time", "at_s"),
)

sa.Table(
    "troubles",
    baseline,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("text", sa.String(700), nullable=False),
    sa.Index("troubles_by_device", "device", "at_s"),
    sa.Index("troubles_by_time", "at_s"),
)

sa.Table(
    "sessions",
    baseline,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("password_tag", sa.String(16), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("used_s", sa.Double, nullable=False),
)

sa.Table(
    "dashboards",
    baseline,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seen_s", sa.Double, nullable=False),
)


def upgrade() -> None:
    """Create the tables, columns and indexes that the database lacks."""
    db = op.get_bind()
    baseline.create_all(db)
    found = sa.inspect(db)
    for table in baseline.sorted_tables:
        columns = {column["name"] for column in found.get_columns(table.name)}
        for column in table.c:
            # Only columns that may be NULL were ever added to a table.
            if column.name not in columns:
                op.add_column(table.name, sa.Column(column.name, column.type))
        for index in table.indexes:
            index.create(db, checkfirst=True)
