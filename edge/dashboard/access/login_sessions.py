"""Login sessions: a random token in a cookie, and its digest in the database.

The database holds times of the system clock, which survive a restart. A session that is in use is
in memory too, and its age is measured there with a clock that cannot be set: setting the system
clock neither prolongs nor ends it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from edge.common.clock import boot_time_s
from edge.dashboard.history.tables import sessions

SESSION_COOKIE = "mask_patrol_session"
#: The last use of a session is written to the database at most this often.
USE_UPDATE_INTERVAL_S = 60.0
#: A session ends after this time even if it is used continuously.
MAX_SESSION_S = 30 * 86_400.0
#: The longest wait for a database lock when the last use is written. It is short, because the
#: response to a request has to wait for it.
USE_UPDATE_LOCK_TIMEOUT_MS = 200
#: Maximum number of sessions that are kept in memory, for use while the database cannot be read.
MAX_CACHED_SESSIONS = 1000


@dataclass
class _CachedSession:
    """A session from the database, and its last use, which may not be written there yet.

    `stored_used_s` is the last use in the database, in seconds since the epoch. The other times are
    seconds since the boot.
    """

    password_tag: str
    stored_used_s: float
    created_ticks_s: float
    used_ticks_s: float
    update_attempted_ticks_s: float


class LoginSessions:
    """The login sessions; they survive a restart, as they are in the database. Thread-safe."""

    def __init__(
        self,
        engine: sa.Engine,
        idle_s: float,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = boot_time_s,
    ) -> None:
        """Keep the sessions in the database of `engine`.

        A session ends after `idle_s` without use. `clock` returns seconds since the epoch, and
        `ticks` seconds since the boot.
        """
        self._engine = engine
        self._idle_s = idle_s
        self._clock = clock
        self._ticks = ticks
        self._cache: dict[str, _CachedSession] = {}
        self._lock = threading.Lock()

    def create(self, password_tag: str) -> str:
        """Create a session and return the token for its cookie."""
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
        """Return whether `token` belongs to a session that has not ended; counts as a use.

        While the database cannot be read, sessions in the cache stay valid; for any other token
        SQLAlchemyError is raised.
        """
        ticks_s, digest = self._ticks(), _digest(token)
        try:
            session = self._read(digest)
        except sa.exc.SQLAlchemyError:
            with self._lock:
                session = self._cache.get(digest)
            if session is None:
                raise
        if (
            session is None
            or session.password_tag != password_tag
            or ticks_s - session.used_ticks_s > self._idle_s
            or ticks_s - session.created_ticks_s > MAX_SESSION_S
        ):
            return False
        session.used_ticks_s = max(session.used_ticks_s, ticks_s)
        if ticks_s - session.update_attempted_ticks_s > USE_UPDATE_INTERVAL_S:
            session.update_attempted_ticks_s = ticks_s
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._update_last_use(digest, self._clock())
        return True

    def delete(self, token: str) -> None:
        """Delete the session of `token`, as at a log-out."""
        digest = _digest(token)
        with self._engine.begin() as db:
            db.execute(sa.delete(sessions).where(sessions.c.token_sha256 == digest))
        with self._lock:
            self._cache.pop(digest, None)

    def _read(self, digest: str) -> _CachedSession | None:
        """Read the session from the database and put it into the cache."""
        with self._engine.connect() as db:
            row = db.execute(sa.select(sessions).where(sessions.c.token_sha256 == digest)).first()
        with self._lock:
            if row is None:
                self._cache.pop(digest, None)
                return None
            session = self._cache.get(digest)
            if session is None:
                if len(self._cache) >= MAX_CACHED_SESSIONS:
                    self._cache.pop(next(iter(self._cache)))
                created_ticks_s = self._ticks_at(row.created_s)
                used_ticks_s = self._ticks_at(row.used_s)
                session = _CachedSession(
                    row.password_tag, row.used_s, created_ticks_s, used_ticks_s, used_ticks_s
                )
                self._cache[digest] = session
            elif row.used_s != session.stored_used_s:  # used at this dashboard or at another one
                session.stored_used_s = row.used_s
                session.used_ticks_s = max(session.used_ticks_s, self._ticks_at(row.used_s))
            return session

    def _ticks_at(self, at_s: float) -> float:
        """Convert a time of the past in seconds since the epoch to seconds since the boot."""
        return self._ticks() - max(0.0, self._clock() - at_s)

    def _update_last_use(self, digest: str, now_s: float) -> None:
        """Write the last use, but do not wait long while another connection holds the lock."""
        update = sa.update(sessions).where(sessions.c.token_sha256 == digest).values(used_s=now_s)
        with self._engine.connect() as db:
            if self._engine.dialect.name != "sqlite":
                db.exec_driver_sql(f"SET LOCAL lock_timeout = {USE_UPDATE_LOCK_TIMEOUT_MS}")
                db.execute(update)
                db.commit()
                return
            previous_ms = db.exec_driver_sql("PRAGMA busy_timeout").scalar()
            db.exec_driver_sql(f"PRAGMA busy_timeout = {USE_UPDATE_LOCK_TIMEOUT_MS}")
            try:
                db.execute(update)
                db.commit()
            finally:
                db.rollback()
                db.exec_driver_sql(f"PRAGMA busy_timeout = {previous_ms}")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
