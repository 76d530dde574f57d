from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.dashboard.access.password import Password
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import PASSWORD
from tests.support.ports import free_port


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """A running dashboard that asks for `PASSWORD`, without a broker."""
    running = Dashboard(tmp_path, free_port(), needs_password=True)
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    yield running
    assert running.stop() == 0
