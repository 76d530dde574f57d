"""Alembic's script directory: the environment and, in `versions`, the revisions of the schema.

To change the schema, change `edge.dashboard.history.tables`, add `versions/rNNNN_what_changes.py`
with the next number as `revision` and the previous one as `down_revision`, and append the number to
`edge.dashboard.history.migrate.REVISIONS`. Released revisions are never edited. There are no
downgrades: a version of Mask Patrol refuses a database with a revision that it does not know.
"""
