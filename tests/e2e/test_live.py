"""The daemon with a network camera, from its start to its end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import mask_patrol, start_mask_patrol
from tests.support.footage.pictures import frames_without_mask
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.ports import free_port


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(frames_without_mask()) as server:
        yield server


def test_stream_is_watched_until_ctrl_c(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    daemon = start_mask_patrol(
        tmp_path, "run", "--watch", "--source", camera.url, "--broker", mosquitto.broker.address
    )
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "an alert")
    daemon.send_signal(signal.SIGINT)
    output, errors = daemon.communicate(timeout=20)
    assert (daemon.returncode, errors) == (0, "")
    assert "secret" not in output
    assert "still there at shutdown" in output
    assert "2 events: 2 acknowledged by the broker, 2 received back, 0 waiting" in output


def test_lost_camera_ends_the_run_and_the_alert(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = tmp_path / "door.toml"
    config.write_text(
        "[camera]\ntimeout_s = 2.0\nreopen_for_s = 2.0\n[tracker]\nleave_after_s = 60.0\n"
    )
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", config, "--source", camera.url,
        "--broker", mosquitto.broker.address,
    )  # fmt: skip
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "an alert")
    camera.stopped.set()
    _, errors = daemon.communicate(timeout=30)
    assert daemon.returncode == 1
    warning, retried, error = errors.splitlines()
    assert "opening it is tried again for up to" in retried
    assert "stopped delivering frames" in warning
    assert error.startswith("mask-patrol: no video stream at http://127.0.0.1:")
    assert error.endswith("; it could not be brought back for 2 s")
    assert "secret" not in errors
    subscriber.wait_for_status("offline")
    assert [e["ended_by"] for e in subscriber.bodies("events")] == [None, "shutdown"]


def test_absent_camera_is_reported_and_delays_no_event(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    mask_patrol(tmp_path, "run", "--pace", "fast", "--broker", f"127.0.0.1:{free_port()}")
    assert subscriber.bodies("events") == []
    config = tmp_path / "door.toml"
    port = free_port()
    config.write_text(
        f"[camera]\nsource = 'http://me:secret@127.0.0.1:{port}/stream.mjpg'\nreopen_for_s = 3.0\n"
        f"[mqtt]\nhost = '127.0.0.1'\nport = {mosquitto.port}\nhealth_interval_s = 3600.0\n"
    )
    daemon = start_mask_patrol(tmp_path, "run", "--config", config)
    subscriber.wait_for(lambda: bool(subscriber.bodies("events")), "the alerts of the previous run")
    subscriber.wait_for(
        lambda: any(body["camera"] == "reopening" for body in subscriber.bodies("health")),
        "health with the state of the camera",
    )
    _, errors = daemon.communicate(timeout=60)
    assert daemon.returncode == 1
    warning, retried, error = errors.splitlines()
    assert "opening it is tried again for up to" in retried
    assert "no video stream at http://127.0.0.1:" in warning
    assert error.startswith("mask-patrol: no video stream at http://127.0.0.1:")
    assert error.endswith("; it could not be opened for 3 s")
    assert "secret" not in errors
    for body in subscriber.bodies("health"):
        assert body["warnings"][0].startswith("no video stream at http://127.0.0.1:")
        assert body["camera"] in ("stalled", "reopening")
    subscriber.wait_for_status("offline")
    assert subscriber.bodies("events")[-1]["seq"] == len(subscriber.bodies("events"))


def test_camera_that_starts_after_the_daemon_is_watched(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    port = free_port()
    daemon = start_mask_patrol(
        tmp_path, "run", "--source", f"http://127.0.0.1:{port}/stream.mjpg",
        "--broker", mosquitto.broker.address,
    )  # fmt: skip
    subscriber.wait_for_status("online")
    with MjpegCamera(frames_without_mask(), port=port):
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "an alert")
        daemon.send_signal(signal.SIGTERM)
        _, errors = daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    assert len(errors.splitlines()) == 2, "one warning, and for how long it is tried again"
