"""A network camera that fails in every way that cameras do, and the daemon that watches it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.camera.reader import GRACE_S
from tests.support.brokers import Subscriber, wait_until
from tests.support.cli_process import start_mask_patrol
from tests.support.mjpeg_server import MjpegCamera
from tests.support.pictures import bare_seconds, flat
from tests.support.rtsp_server import RtspCamera

TIMEOUT_S = 2.0
#: Nobody is there, and the light flickers: it is the same size, and no two are alike.
EMPTY = [flat(level, 480, 640) for level in range(90, 105)]
#: How much later than documented a loaded machine may be.
SLACK_S = 6.0


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(bare_seconds()) as server:
        yield server


class Door:
    """The daemon at the camera, and what it says at its broker."""

    def __init__(self, folder: Path, url: str, subscriber: Subscriber, **more: Any) -> None:
        port = subscriber.client.port
        lines = {"timeout_s": TIMEOUT_S, "source": f"'{url}'", **more}
        config = folder / "door.toml"
        config.write_text(
            "[camera]\n"
            + "".join(f"{key} = {value}\n" for key, value in lines.items())
            + f"[mqtt]\nhost = '127.0.0.1'\nport = {port}\nhealth_interval_s = 0.2\n"
        )
        self._subscriber = subscriber
        self.process = start_mask_patrol(folder, "run", "--config", config)
        self.waits_for_events("no_mask_start")

    @property
    def events(self) -> list[str]:
        return [event["event_type"] for event in self._subscriber.bodies("events")]

    def waits_for_events(self, *kinds: str) -> None:
        self._subscriber.wait_for(lambda: self.events == list(kinds), f"{kinds}: {self.events}")

    def waits_for_health(self, **figures: Any) -> None:
        def said() -> bool:
            bodies = self._subscriber.bodies("health")
            return bool(bodies) and figures.items() <= bodies[-1].items()

        self._subscriber.wait_for(said, f"{figures} in health")

    def goes_on(self, camera: MjpegCamera) -> None:
        """Who was there has left, and whoever comes now is seen."""
        camera.show(EMPTY)
        self.waits_for_events("no_mask_start", "no_mask_end")
        camera.show(bare_seconds())
        self.waits_for_events("no_mask_start", "no_mask_end", "no_mask_start")

    def held(self) -> tuple[int, int]:
        """How many descriptors and threads the process has."""
        folder = Path(f"/proc/{self.process.pid}")
        return len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))

    def stops(self) -> str:
        """Asked to, with code 0; returns what it said."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        assert "Traceback" not in errors
        assert "secret" not in errors
        return errors

    def gives_up(self, within_s: float) -> str:
        """By itself, with code 1, one clear line and all alerts ended; returns that line."""
        started_s = time.monotonic()
        try:
            _, errors = self.process.communicate(timeout=within_s + SLACK_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert self.process.returncode == 1
        assert "Traceback" not in errors
        assert "secret" not in errors
        (line,) = [line for line in errors.splitlines() if line.startswith("mask-patrol: ")]
        assert time.monotonic() - started_s < within_s + SLACK_S
        self._subscriber.wait_for(
            lambda: self._subscriber.bodies("status")[-1:] == ["offline"], "the farewell"
        )
        assert self._subscriber.bodies("events")[-1]["ended_by"] is not None
        return line


@pytest.mark.parametrize("how", ["stalled", "garbled"])
def test_one_that_delivers_nothing_ends_the_run_in_time(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber, how: str
) -> None:
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    getattr(camera, how).set()
    door.waits_for_health(camera="stalled")
    line = door.gives_up(within_s=TIMEOUT_S + GRACE_S + 3.0)
    assert "it could not be brought back for 3 s" in line


@pytest.mark.parametrize("how", ["stalled", "garbled"])
def test_one_that_delivers_nothing_for_a_while_goes_on(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber, how: str
) -> None:
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    getattr(camera, how).set()
    door.waits_for_health(camera="reopening")
    getattr(camera, how).clear()
    door.waits_for_health(camera="ok")
    door.goes_on(camera)
    door.stops()


def test_closed_connections_are_opened_again_and_leave_nothing_behind(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    before = door.held()
    for times in range(1, 4):
        camera.hang_up()
        door.waits_for_health(camera="ok", camera_reopened=times)
    wait_until(lambda: door.held() <= before, f"no more than {before}: {door.held()}")
    assert door.events[0] == "no_mask_start"
    errors = door.stops()
    assert errors.count("stopped delivering frames") == 3


def test_one_that_disappears_and_returns_is_found_again(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    with MjpegCamera(bare_seconds()) as camera:
        door = Door(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    door.waits_for_health(camera="reopening")
    with MjpegCamera(EMPTY, port=camera.port) as again:
        door.waits_for_health(camera="ok")
        door.goes_on(again)
        errors = door.stops()
    assert len(errors.splitlines()) == 1


def test_one_that_never_returns_ends_the_run_in_time(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    with MjpegCamera(bare_seconds()) as camera:
        door = Door(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    line = door.gives_up(within_s=3.0)
    assert line.startswith("mask-patrol: no video stream at http://127.0.0.1:")
    assert line.endswith("; it could not be brought back for 3 s")


def test_a_frozen_picture_ends_the_run_in_time(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=4.0, frozen_after_s=1.5)
    camera.show(bare_seconds()[:1])
    door.waits_for_health(camera="frozen")
    line = door.gives_up(within_s=4.0)
    assert "has delivered the same picture for 1.5 s" in line


def test_a_black_picture_is_told_and_never_ends_the_run(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=1.0, black_after_s=0.5)
    camera.show([flat(3, 480, 640)])
    # Half a second, then one, then two: by then its patience would be over thrice.
    for times in (1, 2, 3):
        door.waits_for_health(camera="black", camera_reopened=times)
    camera.show(EMPTY)
    door.waits_for_health(camera="ok")
    door.goes_on(camera)
    door.stops()


def test_one_whose_pictures_grow_is_opened_anew_once_it_stands_still(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    """OpenCV goes on handing out the last picture of the old size."""
    door = Door(tmp_path, camera.url, subscriber, reopen_for_s=60.0, frozen_after_s=1.5)
    camera.show([flat(level, 960, 1280) for level in range(90, 105)])
    door.waits_for_health(camera="frozen")
    door.waits_for_health(camera="ok", camera_reopened=1)
    door.waits_for_events("no_mask_start", "no_mask_end")
    door.stops()


def test_an_rtsp_camera_that_is_switched_off_and_on_again(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    with RtspCamera(tmp_path) as camera:
        door = Door(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
        before = door.held()
    door.waits_for_health(camera="reopening")
    with RtspCamera(tmp_path, camera.port):
        door.waits_for_health(camera="ok")
        door.waits_for_events("no_mask_start", "no_mask_end", "no_mask_start")
        wait_until(lambda: door.held() <= before, f"no more than {before}: {door.held()}")
        errors = door.stops()
    assert len(errors.splitlines()) == 1


def test_an_rtsp_camera_that_stays_off_ends_the_run_in_time(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    with RtspCamera(tmp_path) as camera:
        door = Door(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    line = door.gives_up(within_s=TIMEOUT_S + GRACE_S + 3.0)
    assert line.startswith("mask-patrol: no video stream at rtsp://127.0.0.1:")
