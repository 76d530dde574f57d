from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import Settings, change
from edge.delivery import Delivery
from edge.health import StageTimes
from edge.mqtt import Publisher
from tests.brokers import Mosquitto, Subscriber


def test_what_can_be_asked_for_is_announced_and_answered(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    settings = change(
        Settings(),
        device="door1",
        mqtt={"host": mosquitto.broker.host, "port": mosquitto.broker.port, "discovery": True},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
    )
    verbs = {"pause": lambda: {"paused": True}, "resume": lambda: {"paused": False}}
    listener = Subscriber(mosquitto.broker, "#")
    with Delivery(settings, StageTimes(), verbs=verbs) as delivery:
        delivery.start()
        listener.wait_for(lambda: bool(listener.bodies("config")), "the announcement")
        (announced,) = listener.bodies("config")
        button = announced["components"]["resume"]
        listener.client.publish(button["command_topic"], button["payload_press"], qos=1)
        listener.wait_for(lambda: bool(listener.bodies("reply/resume")), "the reply")
    assert listener.bodies("reply/resume") == [
        {"paused": False, "status": "ok", "transaction": "home-assistant"}
    ]
    listener.close()


def test_who_hangs_at_the_end_is_waited_for_once(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: list[float] = []
    stop = Publisher.stop

    def counted(self: Publisher, timeout_s: float) -> None:
        stops.append(timeout_s)
        stop(self, timeout_s)

    monkeypatch.setattr(Publisher, "stop", counted)
    settings = change(
        Settings(),
        device="door1",
        mqtt={"host": mosquitto.broker.host, "port": mosquitto.broker.port},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
    )
    with Delivery(settings, StageTimes()) as delivery:
        delivery.start()
        assert delivery.flush() == 0
    assert len(stops) == 1
