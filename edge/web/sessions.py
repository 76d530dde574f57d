"""Who is logged in: a random token in a cookie, its digest in the database."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

import sqlalchemy as sa

from edge.web.tables import sessions

COOKIE = "mask_patrol_session"
#: Its last use is written down no more often than this.
NOTE_EVERY_S = 60.0
#: Even one that is used all the time ends.
LONGEST_S = 30 * 86_400.0


class Sessions:
    """They outlive a restart, as they are in the database; from any thread."""

    def __init__(
        self, engine: sa.Engine, idle_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`idle_s` without use ends a session; `clock` gives seconds since the epoch."""
        self._engine = engine
        self._idle_s = idle_s
        self._clock = clock

    def begin(self, password_tag: str) -> str:
        """A new session; gives the token for the cookie."""
        token = secrets.token_urlsafe(32)
        now_s = self._clock()
        with self._engine.begin() as db:
            db.execute(
                sa.insert(sessions).values(
                    token_sha256=_digest(token),
                    password_tag=password_tag,
                    created_s=now_s,
                    used_s=now_s,
                )
            )
        return token

    def is_valid(self, token: str, password_tag: str) -> bool:
        """Whether `token` is of a session that goes on; it counts as used now."""
        now_s, digest = self._clock(), _digest(token)
        with self._engine.connect() as db:
            row = db.execute(sa.select(sessions).where(sessions.c.token_sha256 == digest)).first()
        if row is None or row.password_tag != password_tag:
            return False
        if now_s - row.used_s > self._idle_s or now_s - row.created_s > LONGEST_S:
            return False
        if now_s - row.used_s > NOTE_EVERY_S:
            with self._engine.begin() as db:
                db.execute(
                    sa.update(sessions)
                    .where(sessions.c.token_sha256 == digest)
                    .values(used_s=now_s)
                )
        return True

    def end(self, token: str) -> None:
        """Log out."""
        with self._engine.begin() as db:
            db.execute(sa.delete(sessions).where(sessions.c.token_sha256 == _digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
