from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.stage_times import StageTimes
from edge.config.settings import Settings, change
from edge.mqtt.delivery import MAX_TIMED_EVENTS, Delivery
from edge.mqtt.publisher import Publisher
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def settings_for(broker: Mosquitto, folder: Path, **mqtt: bool) -> Settings:
    return change(
        Settings(),
        device="door1",
        mqtt={"host": broker.broker.host, "port": broker.broker.port, **mqtt},
        outbox={"path": str(folder / "outbox.sqlite3")},
    )


def test_commands_are_announced_and_answered(tmp_path: Path, mosquitto: Mosquitto) -> None:
    settings = settings_for(mosquitto, tmp_path, discovery=True)
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


def test_alert_time_starts_at_frame_capture(tmp_path: Path, mosquitto: Mosquitto) -> None:
    times = StageTimes()
    with Delivery(settings_for(mosquitto, tmp_path), times) as delivery:
        delivery.start()
        wait_until(lambda: delivery.publisher.connected, "the connection")
        delivery.put({"n": 0}, lag_s=0.25)
        delivery.put({"n": 1})  # the time of its frame is unknown
        wait_until(lambda: delivery.publisher.acknowledged == 2, "both acknowledgements")
    found = times.quantiles()
    assert (found["deliver"].count, found["alert"].count) == (2, 1)
    assert found["alert"].p50_ms >= 250.0 + found["deliver"].p50_ms / 100.0


def test_number_of_timed_events_is_limited(tmp_path: Path) -> None:
    settings = change(
        Settings(device="door1"),
        mqtt={"host": "127.0.0.1", "port": free_port()},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
    )
    with Delivery(settings, StageTimes()) as delivery:
        for n in range(MAX_TIMED_EVENTS + 20):
            delivery.put({"n": n}, lag_s=0.1 if n % 2 else None)
            delivery.put({"n": n}, lag_s=0.1)
        assert len(delivery._lags_s) == MAX_TIMED_EVENTS


def test_publisher_is_stopped_only_once(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: list[float] = []
    stop = Publisher.stop

    def counted(self: Publisher, timeout_s: float) -> None:
        stops.append(timeout_s)
        stop(self, timeout_s)

    monkeypatch.setattr(Publisher, "stop", counted)
    with Delivery(settings_for(mosquitto, tmp_path), StageTimes()) as delivery:
        delivery.start()
        assert delivery.flush() == 0
    assert len(stops) == 1


def test_events_before_the_connection_are_not_timed(tmp_path: Path, mosquitto: Mosquitto) -> None:
    times = StageTimes()
    with Delivery(settings_for(mosquitto, tmp_path), times) as delivery:
        delivery.put({"n": 0})
        delivery.start()
        wait_until(lambda: delivery.publisher.acknowledged == 1, "the delivery of the first event")
        assert "deliver" not in times.quantiles()
        delivery.put({"n": 1})
        wait_until(lambda: "deliver" in times.quantiles(), "the time of the second event")
    (took,) = [q for stage, q in times.quantiles().items() if stage == "deliver"]
    assert took.count == 1
    assert 0.0 < took.p50_ms < 20_000.0
