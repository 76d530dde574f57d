"""The daemon on a Raspberry Pi that is too hot."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.config.settings import Settings, change
from edge.daemon import run
from edge.daemon.camera_file import CameraFile
from edge.health import raspberry_pi, thermal_throttle
from tests.support.footage.pictures import write_clip
from tests.support.mqtt.brokers import Mosquitto, Subscriber


def test_hot_board_reduces_the_frame_rate(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = tmp_path / "temp"
    hot.write_text("90000\n")
    monkeypatch.setattr(
        run,
        "ThermalThrottle",
        lambda hot_c: thermal_throttle.ThermalThrottle(hot_c, read_temperature, lambda: None),
    )

    def read_temperature() -> float | None:
        return raspberry_pi.temperature_c(hot)

    settings = change(
        Settings(device="door1"),
        camera={"source": str(write_clip(tmp_path / "hall.mp4", [90] * 60, fps=20.0))},
        mqtt={
            "host": mosquitto.broker.host,
            "port": mosquitto.broker.port,
            "health_interval_s": 0.3,
        },
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
    )
    assert threading.current_thread() is threading.main_thread()
    code = run.run(
        settings, run.RunOptions(lambda: settings, CameraFile(tmp_path / "camera.toml", None))
    )
    assert code == 0
    last = subscriber.bodies("health")[-1]
    assert last["fps_share"] == pytest.approx(thermal_throttle.STEP)
    assert any("hot" in warning for warning in last["warnings"])
    # The daemon processes only seven of the clip's twenty frames per second.
    assert last["frames"] < last["frames_left_out"]
