from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.access.password import Password
from edge.dashboard.history.database import open_database
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import PASSWORD
from tests.support.dashboard.postgres import Postgres, why_no_postgres
from tests.support.ports import free_port


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why := why_no_postgres():
        pytest.skip(why)
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite3"
    return str(request.getfixturevalue("postgres").empty_database())


@pytest.fixture
def engine(address: str) -> Iterator[sa.Engine]:
    """An open database without rows, once in SQLite and once in PostgreSQL."""
    opened = open_database(address)
    yield opened
    opened.dispose()


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """A running dashboard that asks for `PASSWORD`, without a broker."""
    running = Dashboard(tmp_path, free_port(), needs_password=True)
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    yield running
    assert running.stop() == 0
