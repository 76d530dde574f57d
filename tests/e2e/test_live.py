"""A network camera as the source: runs until it is stopped or the camera is gone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto, Subscriber
from tests.commands import start_mask_patrol
from tests.pictures import bare_seconds
from tests.streams import MjpegCamera


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(bare_seconds()) as server:
        yield server


def test_a_stream_is_watched_until_ctrl_c(
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


def test_a_camera_that_goes_away_ends_it_with_a_clear_line_and_an_ended_alert(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = tmp_path / "door.toml"
    config.write_text("[camera]\ntimeout_s = 2.0\nreopen_for_s = 2.0\n")
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", config, "--source", camera.url,
        "--broker", mosquitto.broker.address,
    )  # fmt: skip
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "an alert")
    camera.cut.set()
    _, errors = daemon.communicate(timeout=30)
    assert daemon.returncode == 1
    noticed, ended = errors.splitlines()
    assert "stopped delivering frames" in noticed
    assert ended.startswith("mask-patrol: no video stream at http://127.0.0.1:")
    assert ended.endswith("; it could not be brought back for 2 s")
    assert "secret" not in errors
    subscriber.wait_for(lambda: subscriber.bodies("status")[-1:] == ["offline"], "the farewell")
    assert [e["ended_by"] for e in subscriber.bodies("events")] == [None, "shutdown"]
