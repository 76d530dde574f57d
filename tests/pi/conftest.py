from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pi.device import Listener
from tests.pi.roots import BOOKWORM, TRIXIE, Release
from tests.support.mqtt.brokers import Mosquitto

#: Time limit of a test: an emulated machine is slow, especially on a busy computer.
MAX_DURATION_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.pi)
            item.add_marker(pytest.mark.timeout(MAX_DURATION_S))


@pytest.fixture(scope="session", autouse=True)
def _require_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("the root file systems contain files of several owners: run this as root")


@pytest.fixture(params=[BOOKWORM, TRIXIE], ids=lambda release: release.name)
def release(request: pytest.FixtureRequest) -> Release:
    """Run the test on both releases of Debian."""
    return request.param


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path, persistent=True).start()
    yield server
    server.stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker)
    yield listener
    listener.close()
