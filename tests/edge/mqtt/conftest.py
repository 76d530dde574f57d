from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.broker import Broker
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox
from tests.support.mqtt.publishers import StartPublisher


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite3", 10_000)
    yield box
    box.close()


@pytest.fixture
def start_publisher(outbox: Outbox) -> Iterator[StartPublisher]:
    """A function that starts a publisher of `door1` for `outbox`; all are stopped at the end."""
    started: list[Publisher] = []

    def start(broker: Broker, **more: Any) -> Publisher:
        publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox, **more)
        publisher.start()
        started.append(publisher)
        return publisher

    yield start
    for publisher in started:
        publisher.stop(0.0)
