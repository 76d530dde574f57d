"""Live sources through OpenCV: a V4L2 camera, an RTSP or HTTP stream."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from edge.camera.frame_rate_limit import Wants, every
from edge.camera.source import AbsentError, Frame, SourceError, is_picture
from edge.camera.source_address import is_device, without_password
from edge.config.settings import CameraSettings

#: Reading this many times in a row without a picture means that the source is gone;
#: single failures happen on radio links and with corrupt packets.
GIVE_UP_AFTER_READS = 10
MJPG, YUYV = (cv2.VideoWriter.fourcc(*name) for name in ("MJPG", "YUYV"))


class LiveSource:
    """Frames as they happen, from whatever `cv2.VideoCapture` was opened."""

    live = True

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        wants: Wants = every,
    ) -> None:
        """Take over an opened `capture`; `name` is what errors call it."""
        self._capture = capture
        self._name = name
        self._timeout_s = timeout_s
        self._clock = clock
        self._wants = wants
        self._index = -1

    def read(self) -> Frame | None:
        """The next frame that is wanted, with the time at which it arrived."""
        started_s = self._clock()
        failures = 0
        while failures < GIVE_UP_AFTER_READS:
            if self._capture.grab():
                arrived_s = self._clock()
                if not self._wants(arrived_s):
                    failures = 0
                    continue
                delivered, image = self._capture.retrieve()
                if delivered and is_picture(image):
                    self._index += 1
                    return Frame(image, arrived_s, self._index)
            failures += 1
            if self._clock() - started_s > self._timeout_s:
                break
        raise SourceError(f"{self._name} stopped delivering frames")

    def close(self) -> None:
        """Free the device or the connection."""
        self._capture.release()


def open_v4l2(path: Path, settings: CameraSettings, wants: Wants = every) -> LiveSource:
    """A local camera such as /dev/video0; raises SourceError when it cannot be used, and
    AbsentError when it may be plugged in, or let go by another program."""
    if not path.exists():
        known = sorted(str(p) for p in Path("/dev").glob("video*"))
        hint = f"cameras here: {', '.join(known)}" if known else "no camera is connected"
        raise AbsentError(f"no such camera: {path} ({hint})")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"no permission to use {path}; add this user to the group `video`")
    # Whole seconds, and read once, at the first frame: else a camera that stalls holds its
    # thread for ten seconds, whatever our own time-out is.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(settings.timeout_s)))
    capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    # The pixel format first: V4L2 drivers settle sizes and rates within a format,
    # and raw YUYV over USB 2 is slow above 640x480.
    capture.set(cv2.CAP_PROP_FOURCC, MJPG)
    # OpenCV would rather take BGR than YUYV, and then not unpack it into a picture.
    if capture.isOpened() and int(capture.get(cv2.CAP_PROP_FOURCC)) != MJPG:
        capture.set(cv2.CAP_PROP_FOURCC, YUYV)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if not capture.isOpened():
        capture.release()
        message = f"{path} is not a camera, or another program is using it"
        raise AbsentError(message) if is_device(str(path)) else SourceError(message)
    return LiveSource(capture, str(path), settings.timeout_s, wants=wants)


def open_stream(url: str, settings: CameraSettings, wants: Wants = every) -> LiveSource:
    """A network stream; raises AbsentError when nothing answers within the time-out: FFmpeg
    does not tell a wrong password from a camera that is off."""
    timeout_ms = int(settings.timeout_s * 1000)
    capture = cv2.VideoCapture(
        url,
        cv2.CAP_FFMPEG,
        [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms],
    )
    name = without_password(url)
    if not capture.isOpened():
        capture.release()
        raise AbsentError(
            f"no video stream at {name} within {settings.timeout_s:g} s;"
            " check the address, the password and that the camera is on"
        )
    return LiveSource(capture, name, settings.timeout_s, wants=wants)
