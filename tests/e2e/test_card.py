"""The number of bytes that the daemon writes to the SD card."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import start_mask_patrol
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.mqtt.brokers import Mosquitto, Subscriber

QUIET_REPORTS = 50


def test_only_events_write_to_the_disk(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    if os.major(tmp_path.stat().st_dev) == 0:
        pytest.skip("the kernel does not count writes to a temporary folder in memory")
    noise = np.random.default_rng(7)
    empty = [noise.integers(0, 60, (480, 640, 3), np.uint8) for _ in range(5)]
    with MjpegCamera(empty) as camera:
        config = tmp_path / "door.toml"
        config.write_text(
            f"device = 'door1'\n[camera]\nsource = '{camera.url}'\n[mqtt]\nhost = '127.0.0.1'\n"
            f"port = {mosquitto.port}\nhealth_interval_s = 0.05\n"
        )

        def written_after(reports: int) -> int:
            subscriber.wait_for(
                lambda: len(subscriber.bodies("health")) >= reports, f"{reports} reports"
            )
            return int(subscriber.bodies("health")[reports - 1]["written_bytes"])

        process = start_mask_patrol(tmp_path, "run", "--config", config)
        try:
            before = written_after(2)
            assert written_after(2 + QUIET_REPORTS) == before
            camera.show([frame_at(BARE_S), frame_at(BARE_S + 0.3)])
            subscriber.wait_for(lambda: bool(subscriber.bodies("events")), "an alert")
            camera.show(empty)
            subscriber.wait_for(lambda: len(subscriber.bodies("events")) >= 2, "its end")
            written = written_after(len(subscriber.bodies("health")) + 2) - before
            print(f"an alert wrote {written} bytes")
            assert 0 < written < 300_000
        finally:
            process.terminate()
            process.communicate(timeout=20)
