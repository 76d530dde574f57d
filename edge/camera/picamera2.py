"""The Raspberry Pi's own camera, through libcamera and picamera2.

Written against picamera2 0.3 as Raspberry Pi OS Bookworm and Trixie have it. Its life here is
owned by one thread: whoever opens it also reads and closes it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from edge.camera.frame_rate_limit import Wants, every
from edge.camera.source import AbsentError, Frame, SourceError
from edge.config.settings import CameraSettings

#: One buffer is being exposed, one waits to be, one is being read, and one is spare: with fewer,
#: libcamera skips frames.
BUFFERS = 4
#: picamera2 names formats as the kernel does, from the highest byte of a little-endian word:
#: in memory this one is blue, green, red, as OpenCV wants it.
FORMAT = "RGB888"


def open_picamera2(
    number: int, settings: CameraSettings, wants: Wants = every, searched_px: int = 320
) -> Picamera2Source:
    """Camera `number`, with a luma plane as wide as is searched for faces: its own scaler makes
    that at no cost to the processor. Raises AbsentError when it is not there or in use,
    SourceError when picamera2 is missing."""
    kind = _load()
    name = f"camera {number}"
    # The library raises all kinds of things, and its bindings add theirs.
    # Asked for first: the constructor only says "list index out of range", and leaves a
    # pipe open each time.
    try:
        known = [str(camera.get("Model", "unknown")) for camera in kind.global_camera_info()]
    except Exception as error:
        raise AbsentError(f"picamera2 cannot list the cameras: {_named(error)}") from None
    if number >= len(known):
        there = ", ".join(f"picamera2:{at} ({model})" for at, model in enumerate(known))
        raise AbsentError(
            f"no camera {number} is connected (there are: {there})"
            if known
            else "no camera is connected; check its cable, both ends, with the power off"
        )
    try:
        camera = kind(number)
    except Exception as error:
        raise AbsentError(
            f"{name} cannot be opened: {_named(error)}; is another program using it?"
        ) from None
    try:
        luma_px = _start(camera, settings, searched_px)
    except Exception as error:
        _close(camera)
        raise AbsentError(f"{name} cannot be started: {_named(error)}") from None
    return Picamera2Source(camera, name, luma_px, settings.timeout_s, wants=wants)


class Picamera2Source:
    """Frames of a running camera, each with its luma plane."""

    live = True

    def __init__(
        self,
        camera: Any,
        name: str,
        luma_px: tuple[int, int],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        wants: Wants = every,
    ) -> None:
        """Take over a started `camera` whose small stream is `luma_px` wide and high."""
        self._camera: Any | None = camera
        self._name = name
        self._luma_px = luma_px
        self._timeout_s = timeout_s
        self._clock = clock
        self._wants = wants
        self._index = -1

    def read(self) -> Frame | None:
        """The next frame that is wanted; raises SourceError when none comes within the time-out."""
        camera = self._camera
        if camera is None:
            raise SourceError(f"{self._name} is closed")
        while True:
            request = self._next_request(camera)
            arrived_s = self._clock()
            try:
                if not self._wants(arrived_s):
                    continue
                # Both are copies: the buffers go back to the camera at once.
                image = request.make_array("main")
                planes = request.make_array("lores")
            finally:
                request.release()
            width, height = self._luma_px
            self._index += 1
            luma = np.ascontiguousarray(planes[:height, :width])
            return Frame(image, arrived_s, self._index, luma)

    def _next_request(self, camera: Any) -> Any:
        # With `wait=True` a loose cable blocks for ever.
        job = camera.capture_request(wait=False)
        try:
            return camera.wait(job, timeout=self._timeout_s)
        except (TimeoutError, CancelledError):
            _abandon(camera, job)
            raise SourceError(
                f"{self._name} has delivered nothing for {self._timeout_s:g} s; check its cable"
            ) from None

    def close(self) -> None:
        """Stop and free the camera; a second call does nothing."""
        camera, self._camera = self._camera, None
        if camera is not None:
            _close(camera)


def _load() -> Any:
    # What goes wrong comes back as an exception and is said once, in our words.
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise SourceError(
            f"picamera2 cannot be used ({_line(error)}): sudo apt install python3-picamera2, and"
            " make the virtual environment with --system-site-packages"
        ) from None
    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    return Picamera2


def _start(camera: Any, settings: CameraSettings, searched_px: int) -> tuple[int, int]:
    """Configure and start; returns the width and height of the small stream."""
    width, height = _even(settings.width_px), _even(settings.height_px)
    luma_width = min(_even(searched_px), width)
    luma_height = min(_even(round(luma_width * height / width)), height)
    sensor_width, sensor_height = camera.sensor_resolution
    configuration = camera.create_video_configuration(
        main={"size": (width, height), "format": FORMAT},
        lores={"size": (luma_width, luma_height), "format": "YUV420"},
        # Half the sensor's size is the mode that reads all of it, in twos. Left alone, small
        # pictures get a mode that sees only the middle.
        raw={"size": (sensor_width // 2, sensor_height // 2)},
        buffer_count=BUFFERS,
        controls={"FrameRate": settings.fps},
        display=None,
        encode=None,
    )
    camera.configure(configuration)
    camera.start()
    # The camera may have chosen something a little different.
    chosen_width, chosen_height = camera.camera_configuration()["lores"]["size"]
    return chosen_width, chosen_height


def _abandon(camera: Any, job: Any) -> None:
    """Take back a capture that nobody waits for: stopping would wait behind it for ever."""
    camera.cancel_all_and_flush()
    try:
        job.get_result(timeout=0).release()  # it came in the very last moment
    except (TimeoutError, CancelledError):
        return


def _close(camera: Any) -> None:
    """Stop and close; a camera that was pulled out may refuse, and is gone all the same."""
    try:
        camera.stop()
    except Exception as error:
        logging.getLogger(__name__).debug("the camera would not stop: %s", error)
    finally:
        camera.close()


def _even(size_px: int) -> int:
    return size_px - size_px % 2


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _named(error: Exception) -> str:
    """One line on whatever the library or libcamera's bindings raised."""
    kind, line = type(error).__name__, _line(error)
    return line if line == kind else f"{kind}: {line}"
