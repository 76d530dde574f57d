"""The daemon with a network camera and the failures that are common for such cameras."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.camera.reader import GRACE_S
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.camera.rtsp_server import RtspCamera
from tests.support.camera.scripted_camera import Request, ScriptedCamera, sized
from tests.support.cli_process import start_mask_patrol
from tests.support.footage.pictures import flat, frames_without_mask
from tests.support.mqtt.brokers import Subscriber
from tests.support.waiting import wait_until

TIMEOUT_S = 2.0
#: Pictures without a person, of the same size as the clip; each differs from the previous one, so
#: that the source is not considered frozen.
EMPTY = [flat(level, 480, 640) for level in range(90, 105)]
#: Time by which a machine under load may exceed the documented time.
SLACK_S = 6.0
#: The types of the events of a person without a mask who leaves and returns.
RETURNED = ["no_mask_start", "no_mask_end", "no_mask_start"]


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(frames_without_mask()) as server:
        yield server


class DaemonAtCamera:
    """The daemon with a camera as its source, and the messages that it publishes."""

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
        self.wait_for_events("no_mask_start")

    @property
    def events(self) -> list[str]:
        return [event["event_type"] for event in self._subscriber.bodies("events")]

    def wait_for_events(self, *types: str) -> None:
        self._subscriber.wait_for(lambda: self.events == list(types), f"{types}: {self.events}")

    def wait_for_health(self, **fields: Any) -> None:
        def published() -> bool:
            bodies = self._subscriber.bodies("health")
            return bool(bodies) and fields.items() <= bodies[-1].items()

        self._subscriber.wait_for(published, f"{fields} in health")

    def wait_for_health_of(self, name: str, is_wanted: Callable[[Any], bool]) -> None:
        self._subscriber.wait_for(lambda: is_wanted(self.health(name)), f"{name} in health")

    def health(self, name: str) -> Any:
        """Return a field of the newest health report; wait for the first one."""
        self._subscriber.wait_for(lambda: bool(self._subscriber.bodies("health")), "health")
        return self._subscriber.bodies("health")[-1][name]

    def leave_and_return(self, camera: MjpegCamera) -> list[str]:
        """Let the person leave and return; return the types of all events so far."""
        camera.show(EMPTY)
        self.wait_for_events("no_mask_start", "no_mask_end")
        camera.show(frames_without_mask())
        self.wait_for_events("no_mask_start", "no_mask_end", "no_mask_start")
        return self.events

    def count_resources(self) -> tuple[int, int]:
        """Return the numbers of file descriptors and threads of the process."""
        folder = Path(f"/proc/{self.process.pid}")
        return len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))

    def stop(self) -> str:
        """Stop the daemon with SIGINT, check its exit code, and return its log."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        assert "Traceback" not in errors
        assert "secret" not in errors
        return errors

    def wait_for_failure(self, within_s: float) -> str:
        """Wait until the daemon fails; check that it ended the alerts; return its error message."""
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
        self._subscriber.wait_for_status("offline")
        assert self._subscriber.bodies("events")[-1]["ended_by"] is not None
        return line


@pytest.mark.parametrize("fault", ["stalled", "garbled"])
def test_silent_camera_ends_the_run_in_time(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber, fault: str
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    getattr(camera, fault).set()
    daemon.wait_for_health(camera="stalled")
    line = daemon.wait_for_failure(within_s=TIMEOUT_S + GRACE_S + 3.0)
    assert "it could not be brought back for 3 s" in line


@pytest.mark.parametrize("fault", ["stalled", "garbled"])
def test_silent_camera_recovers(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber, fault: str
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    getattr(camera, fault).set()
    daemon.wait_for_health(camera="reopening")
    getattr(camera, fault).clear()
    daemon.wait_for_health(camera="ok")
    assert daemon.leave_and_return(camera) == RETURNED
    daemon.stop()


def test_closed_connections_are_reopened_without_a_leak(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    before = daemon.count_resources()
    for times in range(1, 4):
        camera.close_connections()
        daemon.wait_for_health(camera="ok", camera_reopened=times)
    wait_until(
        lambda: daemon.count_resources() <= before,
        f"at most {before} resources, not {daemon.count_resources()}",
    )
    assert daemon.events[0] == "no_mask_start"
    errors = daemon.stop()
    assert errors.count("stopped delivering frames") == 3


def test_camera_that_returns_is_reopened(tmp_path: Path, subscriber: Subscriber) -> None:
    with MjpegCamera(frames_without_mask()) as camera:
        daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
    daemon.wait_for_health(camera="reopening")
    with MjpegCamera(EMPTY, port=camera.port) as restarted:
        daemon.wait_for_health(camera="ok")
        assert daemon.leave_and_return(restarted) == RETURNED
        errors = daemon.stop()
    assert len(errors.splitlines()) == 2, "one warning, and for how long it is tried again"


def test_camera_that_never_returns_ends_the_run_in_time(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    with MjpegCamera(frames_without_mask()) as camera:
        daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    line = daemon.wait_for_failure(within_s=3.0)
    assert line.startswith("mask-patrol: no video stream at http://127.0.0.1:")
    assert line.endswith("; it could not be brought back for 3 s")


def test_frozen_camera_ends_the_run_in_time(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=4.0, frozen_after_s=1.5)
    camera.show(frames_without_mask()[:1])
    daemon.wait_for_health(camera="frozen")
    line = daemon.wait_for_failure(within_s=4.0)
    assert "has delivered the same picture for 1.5 s" in line


def test_black_camera_never_ends_the_run(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=1.0, black_after_s=0.5)
    camera.show([flat(3, 480, 640)])
    # The camera is reopened after 0.5, 1 and 2 s, which together exceed `reopen_for_s`.
    for times in (1, 2, 3):
        daemon.wait_for_health(camera="black", camera_reopened=times)
    camera.show(EMPTY)
    daemon.wait_for_health(camera="ok")
    assert daemon.leave_and_return(camera) == RETURNED
    daemon.stop()


@pytest.mark.parametrize("width_px", [1280, 320])
def test_person_keeps_the_alert_when_the_picture_size_changes(
    tmp_path: Path, camera: MjpegCamera, subscriber: Subscriber, width_px: int
) -> None:
    daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=60.0, frozen_after_s=1.5)
    size = (width_px, width_px * 3 // 4)
    camera.show([cv2.resize(frame, size).astype("uint8") for frame in frames_without_mask()])
    frames = daemon.health("frames")
    # As many frames as the loss of the person and a new alert would take.
    daemon.wait_for_health_of("frames", lambda value: value > frames + 60)
    assert daemon.events == ["no_mask_start"]
    assert daemon.health("camera_reopened") == 0
    daemon.stop()


@pytest.mark.parametrize("login", ["", "me:secret@"])
def test_snapshots_are_watched_like_a_stream(
    tmp_path: Path, subscriber: Subscriber, login: str
) -> None:
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames_without_mask()]
    numbers = itertools.count()

    def script(request: Request) -> Iterator[bytes]:
        if login and "authorization" not in request.headers:
            yield sized(b"", status="401 X", more='WWW-Authenticate: Digest nonce="1"\r\n')
        else:
            yield sized(jpegs[next(numbers) % len(jpegs)])

    with ScriptedCamera(script, keep_alive=True) as camera:
        url = camera.url("/snapshot.jpg", login[:-1])
        daemon = DaemonAtCamera(tmp_path, url, subscriber, reopen_for_s=60.0)
        daemon.wait_for_health(camera="ok", camera_reopened=0)
        assert daemon.stop() == ""
        assert len(camera.requests) > 4


def test_camera_that_is_too_slow_for_alerts_is_reported(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    config = tmp_path / "door.toml"
    with MjpegCamera(frames_without_mask(), period_s=0.6) as camera:
        config.write_text(
            f"[camera]\nsource = '{camera.url}'\n[tracker]\nleave_after_s = 0.3\n"
            f"[mqtt]\nhost = '127.0.0.1'\nport = {subscriber.client.port}\n"
            "health_interval_s = 0.2\n"
        )
        daemon = start_mask_patrol(tmp_path, "run", "--config", config)

        def reported() -> bool:
            return any(
                "nobody can cause an alert" in warning
                for body in subscriber.bodies("health")
                for warning in body["warnings"]
            )

        subscriber.wait_for(reported, "a warning in health")
        daemon.send_signal(signal.SIGINT)
        _, errors = daemon.communicate(timeout=20)
    assert errors.count("nobody can cause an alert: the camera delivers a frame every") == 1
    assert subscriber.bodies("events") == []


def test_rtsp_camera_that_returns_is_reopened(tmp_path: Path, subscriber: Subscriber) -> None:
    with RtspCamera(tmp_path) as camera:
        daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=60.0)
        before = daemon.count_resources()
    daemon.wait_for_health(camera="reopening")
    with RtspCamera(tmp_path, camera.port):
        daemon.wait_for_health(camera="ok")
        daemon.wait_for_events("no_mask_start", "no_mask_end", "no_mask_start")
        wait_until(
            lambda: daemon.count_resources() <= before,
            f"at most {before} resources, not {daemon.count_resources()}",
        )
        errors = daemon.stop()
    assert len(errors.splitlines()) == 2, "one warning, and for how long it is tried again"


def test_lost_rtsp_camera_ends_the_run_in_time(tmp_path: Path, subscriber: Subscriber) -> None:
    with RtspCamera(tmp_path) as camera:
        daemon = DaemonAtCamera(tmp_path, camera.url, subscriber, reopen_for_s=3.0)
    line = daemon.wait_for_failure(within_s=TIMEOUT_S + GRACE_S + 3.0)
    assert line.startswith("mask-patrol: no video stream at rtsp://127.0.0.1:")
