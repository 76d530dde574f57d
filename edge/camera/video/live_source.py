"""A source whose frames arrive as they are captured: a camera or a network stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edge.camera.controls.v4l2_controls import V4l2Controls
from edge.camera.controls.v4l2_device import V4l2Device
from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import Frame, SourceError, is_picture
from edge.camera.video.capture import Capture, ChangedError
from edge.config.settings import CameraSettings

#: A source that delivers no picture in this many reads in a row is lost. Single failures occur
#: on radio links and because of corrupt packets.
MAX_FAILED_READS = 10


class LiveSource:
    """The frames of an open `Capture`, as they arrive."""

    live = True

    def __init__(
        self,
        capture: Capture,
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

        Raises SourceError after `MAX_FAILED_READS` failures in a row, at the first failure
        that occurs more than `timeout_s` after the call, and if the video must be reopened.
        """
        started_s = self._clock()
        failures = 0
        while failures < MAX_FAILED_READS:
            if self._grab():
                arrived_s = self._clock()
                if not self._frame_filter(arrived_s):
                    failures = 0
                    continue
                image = self._capture.retrieve()
                if is_picture(image):
                    self._index += 1
                    return Frame(image, arrived_s, self._index)
            failures += 1
            if self._clock() - started_s > self._timeout_s:
                break
        raise SourceError(f"{self._name} stopped delivering frames")

    def _grab(self) -> bool:
        try:
            return self._capture.grab()
        except ChangedError as error:
            raise SourceError(f"{self._name} {error}") from None

    def close(self) -> None:
        """Release the device or close the connection; a second call does nothing."""
        self._capture.release()
