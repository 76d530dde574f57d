from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.history.tables import metadata, open_database
from tests.support.postgres import Postgres, why_no_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why := why_no_postgres():
        pytest.skip(why)
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database, of both kinds."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/history.sqlite3"
    else:
        address = request.getfixturevalue("postgres").address
    opened = open_database(address)
    yield opened
    metadata.drop_all(opened)
    opened.dispose()
