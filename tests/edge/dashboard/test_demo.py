"""The daemon of the demo; the complete demo is tested in tests/e2e."""

from __future__ import annotations

from pathlib import Path

from edge.config.settings import Settings, change, load_settings
from edge.dashboard.demo import DEVICE, _RepeatedDaemon


def test_daemon_publishes_to_the_broker_of_the_demo(tmp_path: Path) -> None:
    mqtt = {"host": "127.0.0.1", "port": 18_831, "base": "demo"}
    _RepeatedDaemon(tmp_path, change(Settings(), camera={"preview_socket": "/eye"}, mqtt=mqtt))
    settings = load_settings(tmp_path / "demo.toml")
    assert settings.device == DEVICE
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.base) == (
        "127.0.0.1", 18_831, "demo",
    )  # fmt: skip
    # What the Camera and the Snapshots page need.
    assert (settings.camera.preview, settings.camera.preview_socket) == (True, "/eye")
    assert settings.snapshot.enabled


def test_daemon_ends_with_the_demo(tmp_path: Path) -> None:
    with _RepeatedDaemon(tmp_path, change(Settings(), mqtt={"port": 1})) as daemon:
        pass
    assert not daemon._thread.is_alive()
