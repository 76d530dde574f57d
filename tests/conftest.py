from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard.dashboards import Dashboard
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.certificates import Authority

END_TO_END = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole processes as slow, so that `make unit` leaves them out."""
    for item in items:
        if item.path.is_relative_to(END_TO_END):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _stop_leftover_brokers() -> Iterator[None]:
    """Stop the brokers that a failed test started and did not stop."""
    yield
    for server in list(Mosquitto.running):
        server.stop()


@pytest.fixture(autouse=True)
def _stop_leftover_dashboards() -> Iterator[None]:
    """Kill the dashboards that a failed test started and did not stop."""
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
