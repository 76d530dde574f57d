"""The tables of the dashboard's database, as the newest migration leaves them.

A change here needs a new revision in `edge.dashboard.history.migrations`. Every transaction changes
tables in the order in which this module defines them, so that two transactions cannot deadlock.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger),
    sa.Column("last_seq", sa.BigInteger),
    # The number of lost events that the table `gaps` no longer lists.
    sa.Column("forgotten", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_seen_s", sa.Double),
    # NULL for devices that were stored before this column was added; they sort first.
    sa.Column("first_seen_s", sa.Double),
    # When the device was taken off the list; NULL while it is listed.
    sa.Column("retired_s", sa.Double),
)

#: The events that were received; used to find duplicates.
events = sa.Table(
    "events",
    metadata,
    sa.Column("episode", sa.String(96), primary_key=True),
    sa.Column("event_type", sa.String(16), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("received_s", sa.Double, nullable=False),
)

#: One row for each episode; its end may arrive before its start, and either may be missing.
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
    # The name and the note that the user typed; NULL without them.
    sa.Column("acknowledged_by", sa.String(80)),
    sa.Column("note", sa.String(200)),
    sa.Index("alerts_by_time", "started_s", "episode"),
    sa.Index("alerts_by_device", "device", "started_s", "episode"),
    sa.Index("alerts_open", "ended_s", "started_s"),
    sa.Index("alerts_by_end", "ended_by", "started_s", "episode"),
    sa.Index("alerts_by_update", "updated_s"),
)

# How many alerts began in each hour and in each day (hours and days since the epoch, UTC): per
# device and hour, per device and day, and per hour for all devices together. With these counts the
# chart of a year does not read every alert.
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

#: Ranges of sequence numbers that did not arrive.
gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("first_seq", sa.BigInteger, primary_key=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("noticed_s", sa.Double, nullable=False),
)

#: Health figures over time: one row for each device about once a minute.
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

#: Problems of the devices, as text. The table has the name that it had in the first release.
problems = sa.Table(
    "troubles",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("text", sa.String(700), nullable=False),
    sa.Index("troubles_by_device", "device", "at_s"),
    sa.Index("troubles_by_time", "at_s"),
)

#: Login sessions.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("password_tag", sa.String(16), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("used_s", sa.Double, nullable=False),
)

#: The dashboards that share this database, and when each last reported that it is running.
dashboards = sa.Table(
    "dashboards",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seen_s", sa.Double, nullable=False),
)

#: Notifications. A row `waiting` is a reason for a notification of `rule` that is not due yet: its
#: alert may still be too short, or its digest still be collected. When it is due, it is replaced by
#: one row `queued` for each target of the rule (a line of its file of addresses, or a browser),
#: which becomes `sent` or, with the reason in `error`, `failed`.
notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("rule", sa.String(32), nullable=False),
    sa.Column("target", sa.String(32), nullable=False),
    # Names the reason, such as `alert:EPISODE`, so that each rule has it only once.
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("topic", sa.String(16), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("title", sa.String(64), nullable=False),
    sa.Column("label", sa.String(32), nullable=False),
    sa.Column("detail", sa.String(120), nullable=False),
    # How many alerts the notification is about, and when the first and the last of them began.
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("first_s", sa.Double, nullable=False),
    sa.Column("last_s", sa.Double, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    # The times from here on are by the clock of the database (see `database_time_s`).
    sa.Column("due_s", sa.Double, nullable=False),
    sa.Column("expires_s", sa.Double, nullable=False),
    # Until when one dashboard has the notification to itself, in order to deliver it.
    sa.Column("leased_until_s", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.String(300), nullable=False),
    sa.Column("finished_s", sa.Double),
    sa.UniqueConstraint("rule", "key", "target", name="notifications_once"),
    sa.Index("notifications_due", "state", "rule", "target", "due_s"),
    sqlite_autoincrement=True,  # otherwise SQLite uses the numbers of deleted rows again
)

#: When each rule with a cooldown last had a notification about a device and a topic, by the clock
#: of the database.
notification_cooldowns = sa.Table(
    "notification_cooldowns",
    metadata,
    sa.Column("rule", sa.String(32), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(16), primary_key=True),
    sa.Column("last_s", sa.Double, nullable=False),
)

#: What is wrong with a device, so that all dashboards that share the database report it once.
#: `since_s` is by the database's clock, NULL when nothing is wrong. `total` is how many lost events
#: were reported.
device_faults = sa.Table(
    "device_faults",
    metadata,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(16), primary_key=True),
    sa.Column("since_s", sa.Double),
    sa.Column("cleared_s", sa.Double),
    sa.Column("total", sa.BigInteger, nullable=False),
)

#: Browsers that receive notifications by Web Push (RFC 8030). `vapid_key` is the public key of the
#: dashboard at which the browser subscribed; only that dashboard can send it messages.
push_subscriptions = sa.Table(
    "push_subscriptions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("endpoint", sa.String(1000), nullable=False, unique=True),
    sa.Column("p256dh", sa.String(120), nullable=False),
    sa.Column("auth", sa.String(60), nullable=False),
    sa.Column("vapid_key", sa.String(120), nullable=False),
    sa.Column("browser", sa.String(80), nullable=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sqlite_autoincrement=True,
)
