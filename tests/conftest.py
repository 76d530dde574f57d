from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto, Subscriber
from tests.support.certificates import Authority
from tests.support.dashboards import Dashboard


@pytest.fixture(autouse=True)
def _no_broker_is_left_behind() -> Iterator[None]:
    """Those that a test began itself and did not come to stop, because it failed."""
    yield
    for server in list(Mosquitto.running):
        server.stop()


@pytest.fixture(autouse=True)
def _no_dashboard_is_left_behind() -> Iterator[None]:
    yield
    for dashboard in list(Dashboard.running):
        dashboard.stop(signal.SIGKILL)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    listener = Subscriber(mosquitto.broker)
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "stranger")
