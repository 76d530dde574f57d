"""Add the tables of the notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

added = sa.MetaData()

sa.Table(
    "notifications",
    added,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("rule", sa.String(32), nullable=False),
    sa.Column("target", sa.String(32), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("topic", sa.String(16), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("title", sa.String(64), nullable=False),
    sa.Column("label", sa.String(32), nullable=False),
    sa.Column("detail", sa.String(120), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("first_s", sa.Double, nullable=False),
    sa.Column("last_s", sa.Double, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("due_s", sa.Double, nullable=False),
    sa.Column("expires_s", sa.Double, nullable=False),
    sa.Column("leased_until_s", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.String(300), nullable=False),
    sa.Column("finished_s", sa.Double),
    sa.UniqueConstraint("rule", "key", "target", name="notifications_once"),
    sa.Index("notifications_due", "state", "rule", "target", "due_s"),
    sqlite_autoincrement=True,  # otherwise SQLite uses the numbers of deleted rows again
)

sa.Table(
    "notification_cooldowns",
    added,
    sa.Column("rule", sa.String(32), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(16), primary_key=True),
    sa.Column("last_s", sa.Double, nullable=False),
)

sa.Table(
    "device_faults",
    added,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(16), primary_key=True),
    sa.Column("since_s", sa.Double),
    sa.Column("cleared_s", sa.Double),
    sa.Column("total", sa.BigInteger, nullable=False),
)

sa.Table(
    "push_subscriptions",
    added,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("endpoint", sa.String(1000), nullable=False, unique=True),
    sa.Column("p256dh", sa.String(120), nullable=False),
    sa.Column("auth", sa.String(60), nullable=False),
    sa.Column("vapid_key", sa.String(120), nullable=False),
    sa.Column("browser", sa.String(80), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sqlite_autoincrement=True,
)


def upgrade() -> None:
    """Create the tables."""
    added.create_all(op.get_bind())
