from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge.common.stage_times import StageTimes
from edge.common.terminal import Terminal
from edge.config.settings import Settings, change
from edge.daemon.messaging import Messaging, open_messaging
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.event_payloads import START
from tests.support.ports import free_port


def settings_for(folder: Path, port: int) -> Settings:
    return change(
        Settings(),
        device="door1",
        mqtt={"host": "127.0.0.1", "port": port},
        outbox={"path": str(folder / "outbox.sqlite3")},
    )


def open_for(
    settings: Settings, mqtt: bool = True, terminal: Terminal | None = None
) -> AbstractContextManager[Messaging]:
    return open_messaging(settings, mqtt, StageTimes(), {}, terminal)


def test_without_mqtt_events_are_only_numbered(tmp_path: Path) -> None:
    with open_for(settings_for(tmp_path, 1), mqtt=False) as messaging:
        assert [messaging.sink.put(START), messaging.sink.put(START)] == [1, 2]
        messaging.start()
        assert messaging.alive()
        assert (messaging.finish(), messaging.received) == (0, None)
    assert list(tmp_path.iterdir()) == []


def test_subscriber_receives_what_is_delivered(tmp_path: Path, mosquitto: Mosquitto) -> None:
    output = io.StringIO()
    settings = settings_for(tmp_path, mosquitto.port)
    with open_for(settings, terminal=Terminal(output)) as messaging:
        messaging.start()
        messaging.sink.put(START)
        assert messaging.finish() == 0
        assert messaging.received == 1
    assert "NO MASK" in output.getvalue()


@pytest.mark.slow
def test_undelivered_events_are_counted_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_for(settings_for(tmp_path, free_port())) as messaging:
        messaging.start()
        messaging.sink.put(START)
        assert messaging.finish() == 1
    assert "1 events were not delivered" in caplog.text
    with open_for(settings_for(tmp_path, free_port())) as messaging:
        assert messaging.delivery is not None
        assert messaging.delivery.outbox.depth() == 1
