"""Who is logged in, also while the database is busy, broken, or gone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.access.login_sessions import USE_UPDATE_INTERVAL_S, LoginSessions
from edge.dashboard.access.password import Password
from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import sessions
from tests.edge.dashboard.access.test_access import SECRET, Visitor
from tests.support.brokers import free_port
from tests.support.dashboards import Dashboard


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path, free_port(), open_to_us=False)
    Password(running.state / "dashboard-password").set(SECRET)
    yield running.start()
    running.stop()


def test_a_use_is_noted_without_waiting_for_others_that_write(engine: sa.Engine) -> None:
    now = [1000.0]
    known = LoginSessions(engine, 3600.0, lambda: now[0])
    token = known.create("tag")
    now[0] += USE_UPDATE_INTERVAL_S + 1
    with engine.connect() as db:
        db.execute(sa.update(sessions).values(created_s=999.0))  # it holds the lock
        began_s = time.monotonic()
        assert known.is_valid(token, "tag")
        assert time.monotonic() - began_s < 5.0  # SQLite would wait for ten
        db.rollback()
    now[0] += USE_UPDATE_INTERVAL_S + 1
    assert known.is_valid(token, "tag")
    with engine.connect() as db:
        assert db.scalar(sa.select(sessions.c.used_s)) == now[0]
        if engine.dialect.name == "sqlite":
            assert db.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


def test_who_was_let_in_stays_in_while_the_database_cannot_be_read(engine: sa.Engine) -> None:
    now = [1000.0]
    known = LoginSessions(engine, 3600.0, lambda: now[0])
    token, unused, ended = (known.create("tag") for _ in range(3))
    assert known.is_valid(token, "tag")
    assert known.is_valid(ended, "tag")
    known.delete(ended)
    sessions.drop(engine)
    assert known.is_valid(token, "tag")
    assert not known.is_valid(token, "another")
    for other in (unused, ended):
        with pytest.raises(sa.exc.SQLAlchemyError):
            known.is_valid(other, "tag")
    now[0] += 3700.0
    assert not known.is_valid(token, "tag")


def test_a_session_that_another_dashboard_ends_is_over(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    here, there = LoginSessions(engine, 60.0), LoginSessions(engine, 60.0)
    token = here.create("tag")
    assert here.is_valid(token, "tag")
    there.delete(token)
    assert not here.is_valid(token, "tag")


def test_a_database_that_is_held_up_or_broken_is_told_and_is_no_crash(
    dashboard: Dashboard,
) -> None:
    visitor = Visitor(dashboard.port)
    visitor.log_in()
    file = dashboard.state / "dashboard.sqlite3"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("update sessions set used_s = used_s - 100")
    other.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()
    assert visitor.ask("GET", "/").status == 200
    assert time.monotonic() - began_s < 5.0
    other.execute("ROLLBACK")
    other.close()
    for part in dashboard.state.glob("dashboard.sqlite3*"):
        part.write_bytes(bytes(part.stat().st_size))
    stranger = Visitor(dashboard.port)
    stranger.cookie = "mask_patrol_session=guess"
    assert stranger.ask("GET", "/").status == 503
    assert b"cannot be looked up at the moment" in stranger.body
    assert visitor.ask("GET", "/").status in (200, 503)
    assert visitor.ask("GET", "/history").status == 503
    assert "Traceback" not in dashboard.log()


def test_a_password_file_that_cannot_be_read_is_told(dashboard: Dashboard) -> None:
    file = dashboard.state / "dashboard-password"
    file.unlink()
    file.mkdir()
    visitor = Visitor(dashboard.port)
    for path in ("/", "/login", "/setup"):
        assert visitor.ask("GET", path).status == 503, path
    assert "Traceback" not in dashboard.log()
