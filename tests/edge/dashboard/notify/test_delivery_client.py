from __future__ import annotations

import logging
from pathlib import Path

from edge.dashboard.notify.delivery_client import DeliveryClient
from edge.dashboard.notify.delivery_protocol import DeliveryConfiguration


def test_process_starts_although_it_has_something_to_log(tmp_path: Path) -> None:
    """It has to make the tables again if somebody deleted the database."""
    delivery = DeliveryClient(
        DeliveryConfiguration(
            database=f"sqlite:///{tmp_path / 'new.sqlite3'}",
            log_level=logging.DEBUG,
            rules=(),
            addresses={},
        )
    )
    delivery.start()
    assert delivery.is_running
    delivery.stop()
    assert not delivery.is_running
