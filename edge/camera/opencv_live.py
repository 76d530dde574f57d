"""Live sources that OpenCV reads: V4L2 cameras, and RTSP or HTTP streams."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import AbsentError, Frame, SourceError, is_picture
from edge.camera.source_address import is_device, without_password
from edge.camera.v4l2_controls import V4l2Controls
from edge.camera.v4l2_device import V4l2Device
from edge.config.settings import CameraSettings

#: A source that delivers no picture in this many reads in a row is lost. Single failures occur
#: on radio links and because of corrupt packets.
MAX_FAILED_READS = 10
MJPG, YUYV = (cv2.VideoWriter.fourcc(*name) for name in ("MJPG", "YUYV"))


class LiveSource:
    """The frames of an open `cv2.VideoCapture`, as they arrive."""

    live = True

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        frame_filter: FrameFilter = accept_all,
        device: Path | None = None,
    ) -> None:
        """Take ownership of an open `capture`; error messages call it `name`.

        `device` is the V4L2 device that `capture` reads, None for a stream.
        """
        self._capture = capture
        self._name = name
        self._timeout_s = timeout_s
        self._clock = clock
        self._frame_filter = frame_filter
        self._index = -1
        self._device = device
        self._controls = V4l2Controls()

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Set the controls of a V4L2 camera; return the names of those that are not supported."""
        names = settings.controls.names
        if self._device is None or not self._controls.has_work(settings.controls):
            return names
        try:
            with V4l2Device(self._device) as device:
                return self._controls.apply(device, settings.controls)
        except OSError:  # the driver permits one user only, or the camera was unplugged
            return names

    def read(self) -> Frame | None:
        """Return the next frame that the filter accepts, with the time at which it arrived.

        Raises SourceError after `MAX_FAILED_READS` failures in a row, and at the first failure
        that occurs more than `timeout_s` after the call.
        """
        started_s = self._clock()
        failures = 0
        while failures < MAX_FAILED_READS:
            if self._capture.grab():
                arrived_s = self._clock()
                if not self._frame_filter(arrived_s):
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
        """Release the device or close the connection; a second call does nothing."""
        self._capture.release()


def open_v4l2(
    path: Path, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> LiveSource:
    """Open a local camera such as /dev/video0.

    Raises AbsentError when the camera is not connected or another program uses it, which may
    change, and SourceError when it cannot be used for another reason.
    """
    if not path.exists():
        known = sorted(str(p) for p in Path("/dev").glob("video*"))
        hint = f"cameras here: {', '.join(known)}" if known else "no camera is connected"
        raise AbsentError(f"no such camera: {path} ({hint})")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"no permission to use {path}; add this user to the group `video`")
    # OpenCV reads this variable once, at the first frame, in whole seconds. Without it, a camera
    # that stalls blocks its thread for ten seconds, whatever `timeout_s` is.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(settings.timeout_s)))
    capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    # The pixel format must be set first, because V4L2 drivers offer sizes and rates for each
    # format. Uncompressed YUYV over USB 2 is slow above 640x480.
    capture.set(cv2.CAP_PROP_FOURCC, MJPG)
    # If no format is set, OpenCV prefers BGR to YUYV, but does not unpack BGR into a picture.
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
    return LiveSource(
        capture, str(path), settings.timeout_s, frame_filter=frame_filter, device=path
    )


def open_stream(
    url: str, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> LiveSource:
    """Open a network stream.

    Raises AbsentError when there is no video within the time-out. A wrong password has the same
    effect, because FFmpeg does not distinguish it from a camera that is switched off.
    """
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
    return LiveSource(capture, name, settings.timeout_s, frame_filter=frame_filter)
