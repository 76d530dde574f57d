"""Who is logged in: a random token in a cookie, its digest in the database."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from edge.dashboard.history.tables import sessions

COOKIE = "mask_patrol_session"
#: Its last use is written down no more often than this.
NOTE_EVERY_S = 60.0
#: Even one that is used all the time ends.
MAX_SESSION_S = 30 * 86_400.0
#: That note is worth no longer a wait: a page is waiting for it.
NOTE_PATIENCE_MS = 200
#: Sessions remembered here.
MAX_REMEMBERED = 1000


@dataclass
class _Known:
    """A session as it was in the database, and its last use, noted there or not."""

    password_tag: str
    created_s: float
    used_s: float
    tried_to_note_s: float


class LoginSessions:
    """They outlive a restart, as they are in the database; from any thread."""

    def __init__(
        self, engine: sa.Engine, idle_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`idle_s` without use ends a session; `clock` gives seconds since the epoch."""
        self._engine = engine
        self._idle_s = idle_s
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

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
        """Whether `token` is of a session that goes on; it counts as used now.

        While the database cannot be read, those that were valid before go on; for any other
        SQLAlchemyError is raised.
        """
        now_s, digest = self._clock(), _digest(token)
        try:
            known = self._read(digest)
        except sa.exc.SQLAlchemyError:
            with self._lock:
                known = self._known.get(digest)
            if known is None:
                raise
        if (
            known is None
            or known.password_tag != password_tag
            or now_s - known.used_s > self._idle_s
            or now_s - known.created_s > MAX_SESSION_S
        ):
            return False
        known.used_s = max(known.used_s, now_s)
        if now_s - known.tried_to_note_s > NOTE_EVERY_S:
            known.tried_to_note_s = now_s
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._note_use(digest, now_s)
        return True

    def end(self, token: str) -> None:
        """Log out."""
        digest = _digest(token)
        with self._engine.begin() as db:
            db.execute(sa.delete(sessions).where(sessions.c.token_sha256 == digest))
        with self._lock:
            self._known.pop(digest, None)

    def _read(self, digest: str) -> _Known | None:
        with self._engine.connect() as db:
            row = db.execute(sa.select(sessions).where(sessions.c.token_sha256 == digest)).first()
        with self._lock:
            if row is None:
                self._known.pop(digest, None)
                return None
            known = self._known.get(digest)
            if known is None:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.pop(next(iter(self._known)))
                known = _Known(row.password_tag, row.created_s, row.used_s, row.used_s)
                self._known[digest] = known
            known.used_s = max(known.used_s, row.used_s)
            return known

    def _note_use(self, digest: str, now_s: float) -> None:
        """Without long waits for others that write."""
        noted = sa.update(sessions).where(sessions.c.token_sha256 == digest).values(used_s=now_s)
        with self._engine.connect() as db:
            if self._engine.dialect.name != "sqlite":
                db.exec_driver_sql(f"SET LOCAL lock_timeout = {NOTE_PATIENCE_MS}")
                db.execute(noted)
                db.commit()
                return
            before = db.exec_driver_sql("PRAGMA busy_timeout").scalar()
            db.exec_driver_sql(f"PRAGMA busy_timeout = {NOTE_PATIENCE_MS}")
            try:
                db.execute(noted)
                db.commit()
            finally:
                db.rollback()
                db.exec_driver_sql(f"PRAGMA busy_timeout = {before}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
