"""Login sessions, also while the database is locked, damaged, or missing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.access.login_sessions import (
    USE_UPDATE_INTERVAL_S,
    USE_UPDATE_LOCK_TIMEOUT_MS,
    LoginSessions,
)
from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import sessions
from tests.support.clock import Clock
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import BrowserClient


def test_session_ends_after_idle_time(engine: sa.Engine) -> None:
    clock = Clock()
    logins = LoginSessions(engine, 3600.0, clock, clock)
    token = logins.create("tag")
    for _ in range(5):
        clock.advance(3000.0)
        assert logins.is_valid(token, "tag")
    clock.advance(3700.0)
    assert not logins.is_valid(token, "tag")


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_setting_the_clock_changes_no_session(engine: sa.Engine, jump_s: float) -> None:
    clock, ticks = Clock(1_790_000_000.0), Clock()
    logins = LoginSessions(engine, 3600.0, clock, ticks)
    token = logins.create("tag")

    def is_valid_after(seconds: float) -> bool:
        clock.advance(seconds)
        ticks.advance(seconds)
        return logins.is_valid(token, "tag")

    assert is_valid_after(10.0)
    clock.advance(jump_s)
    assert is_valid_after(3500.0)
    assert is_valid_after(3500.0)
    with engine.connect() as db:  # the last use is also written after the jump
        assert db.scalar(sa.select(sessions.c.used_s)) == clock.now_s
    assert not is_valid_after(3700.0)


def test_session_needs_its_token_and_password(engine: sa.Engine) -> None:
    logins = LoginSessions(engine, 3600.0)
    token = logins.create("tag")
    assert logins.is_valid(token, "tag")
    assert not logins.is_valid(token, "another")
    assert not logins.is_valid(token + "x", "tag")


@pytest.mark.slow
def test_session_ends_after_thirty_days_of_use(engine: sa.Engine) -> None:
    clock = Clock()
    logins = LoginSessions(engine, 3600.0, clock, clock)
    token = logins.create("tag")
    valid = []
    for _ in range(31):
        for _ in range(24):
            clock.advance(3600.0)
            is_valid = logins.is_valid(token, "tag")
        valid.append(is_valid)
    assert valid == [True] * 30 + [False]


def test_locked_database_does_not_delay_a_request(engine: sa.Engine) -> None:
    clock = Clock()
    logins = LoginSessions(engine, 3600.0, clock, clock)
    token = logins.create("tag")
    created_s = clock.now_s
    clock.advance(USE_UPDATE_INTERVAL_S + 1)
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with engine.connect() as db:
        db.execute(sa.update(sessions).values(created_s=999.0))  # holds the lock
        assert logins.is_valid(token, "tag")
        db.rollback()
    limit = "busy_timeout" if engine.dialect.name == "sqlite" else "lock_timeout"
    assert any(limit in s and f"= {USE_UPDATE_LOCK_TIMEOUT_MS}" in s for s in statements)
    with engine.connect() as db:
        assert db.scalar(sa.select(sessions.c.used_s)) == created_s
    clock.advance(USE_UPDATE_INTERVAL_S + 1)
    assert logins.is_valid(token, "tag")
    with engine.connect() as db:
        assert db.scalar(sa.select(sessions.c.used_s)) == clock.now_s
        if engine.dialect.name == "sqlite":
            assert db.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


def test_known_sessions_survive_a_database_failure(engine: sa.Engine) -> None:
    clock = Clock()
    logins = LoginSessions(engine, 3600.0, clock, clock)
    token, unused, deleted = (logins.create("tag") for _ in range(3))
    assert logins.is_valid(token, "tag")
    assert logins.is_valid(deleted, "tag")
    logins.delete(deleted)
    sessions.drop(engine)
    assert logins.is_valid(token, "tag")
    assert not logins.is_valid(token, "another")
    for unknown in (unused, deleted):
        with pytest.raises(sa.exc.SQLAlchemyError):
            logins.is_valid(unknown, "tag")
    clock.advance(3700.0)
    assert not logins.is_valid(token, "tag")


def test_session_deleted_by_another_dashboard_is_invalid(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    first, second = LoginSessions(engine, 60.0), LoginSessions(engine, 60.0)
    token = first.create("tag")
    assert first.is_valid(token, "tag")
    second.delete(token)
    assert not first.is_valid(token, "tag")


@pytest.mark.slow
def test_damaged_database_is_reported(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    client.log_in()
    other = sqlite3.connect(dashboard.state / "dashboard.sqlite3", isolation_level=None)
    other.execute("update sessions set used_s = used_s - 100")
    other.execute("BEGIN IMMEDIATE")
    assert client.request("GET", "/").status == 200
    other.execute("ROLLBACK")
    other.close()
    for part in dashboard.state.glob("dashboard.sqlite3*"):
        part.write_bytes(bytes(part.stat().st_size))
    stranger = BrowserClient(dashboard.port)
    stranger.cookie = "mask_patrol_session=guess"
    assert stranger.request("GET", "/").status == 503
    assert b"cannot be looked up at the moment" in stranger.body
    assert client.request("GET", "/").status in (200, 503)
    assert client.request("GET", "/history").status == 503
    assert "Traceback" not in dashboard.log()


@pytest.mark.slow
def test_unreadable_password_file_is_reported(dashboard: Dashboard) -> None:
    file = dashboard.state / "dashboard-password"
    file.unlink()
    file.mkdir()
    client = BrowserClient(dashboard.port)
    for path in ("/", "/login", "/setup"):
        assert client.request("GET", path).status == 503, path
    assert "Traceback" not in dashboard.log()
