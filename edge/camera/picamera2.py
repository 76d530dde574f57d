"""Camera modules of a Raspberry Pi, read through libcamera and picamera2.

Written for picamera2 0.3, which Raspberry Pi OS Bookworm and Trixie contain. A camera must be
opened, read and closed by the same thread.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import AbsentError, Frame, SourceError
from edge.config.settings import CameraSettings

#: One buffer is being exposed, one is queued for exposure, one is being read, and one is spare.
#: With fewer buffers libcamera skips frames.
BUFFERS = 4
#: picamera2 names formats as the kernel does, from the highest byte of a little-endian word. The
#: order in memory is therefore blue, green, red, which is the order of OpenCV.
FORMAT = "RGB888"


def open_picamera2(
    number: int,
    settings: CameraSettings,
    frame_filter: FrameFilter = accept_all,
    luma_width_px: int = 320,
) -> Picamera2Source:
    """Open camera `number`, with a luma plane that is `luma_width_px` wide.

    The camera's own scaler produces the luma plane, at no cost to the processor. Raises
    AbsentError when the camera is not connected or is in use, SourceError when picamera2 is not
    installed.
    """
    camera_class = _load_picamera2()
    name = f"camera {number}"
    # The library and its bindings raise exceptions of many classes. The cameras are listed first
    # because for a missing camera the constructor only reports "list index out of range", and
    # leaves a pipe open each time.
    try:
        models = [
            str(camera.get("Model", "unknown")) for camera in camera_class.global_camera_info()
        ]
    except Exception as error:
        raise AbsentError(f"picamera2 cannot list the cameras: {_describe(error)}") from None
    if number >= len(models):
        listed = ", ".join(f"picamera2:{index} ({model})" for index, model in enumerate(models))
        raise AbsentError(
            f"no camera {number} is connected (connected: {listed})"
            if models
            else "no camera is connected; check both ends of its cable, with the power off"
        )
    try:
        camera = camera_class(number)
    except Exception as error:
        raise AbsentError(
            f"{name} cannot be opened: {_describe(error)}; is another program using it?"
        ) from None
    try:
        luma_px = _start(camera, settings, luma_width_px)
    except Exception as error:
        _close(camera)
        raise AbsentError(f"{name} cannot be started: {_describe(error)}") from None
    return Picamera2Source(camera, name, luma_px, settings.timeout_s, frame_filter=frame_filter)


class Picamera2Source:
    """The frames of a started camera, each with its luma plane."""

    live = True

    def __init__(
        self,
        camera: Any,
        name: str,
        luma_px: tuple[int, int],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        frame_filter: FrameFilter = accept_all,
    ) -> None:
        """Take ownership of a started `camera`; `luma_px` is the size of its luma stream."""
        self._camera: Any | None = camera
        self._name = name
        self._luma_px = luma_px
        self._timeout_s = timeout_s
        self._clock = clock
        self._frame_filter = frame_filter
        self._index = -1

    def read(self) -> Frame | None:
        """Return the next frame that the filter accepts.

        Raises SourceError when the camera delivers no frame within the time-out.
        """
        camera = self._camera
        if camera is None:
            raise SourceError(f"{self._name} is closed")
        while True:
            request = self._next_request(camera)
            arrived_s = self._clock()
            try:
                if not self._frame_filter(arrived_s):
                    continue
                # Both arrays are copies, so the buffers can be returned to the camera at once.
                image = request.make_array("main")
                planes = request.make_array("lores")
            finally:
                request.release()
            width, height = self._luma_px
            self._index += 1
            luma = np.ascontiguousarray(planes[:height, :width])
            return Frame(image, arrived_s, self._index, luma)

    def _next_request(self, camera: Any) -> Any:
        # With `wait=True` this call would never return if a cable is loose.
        job = camera.capture_request(wait=False)
        try:
            return camera.wait(job, timeout=self._timeout_s)
        except (TimeoutError, CancelledError):
            _cancel(camera, job)
            raise SourceError(
                f"{self._name} has delivered nothing for {self._timeout_s:g} s; check its cable"
            ) from None

    def close(self) -> None:
        """Stop and close the camera; a second call does nothing."""
        camera, self._camera = self._camera, None
        if camera is not None:
            _close(camera)


def _load_picamera2() -> Any:
    """Return the class `Picamera2`; raises SourceError when it cannot be imported."""
    # Failures are raised as exceptions and reported once, so the logs of libcamera and picamera2
    # are reduced.
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise SourceError(
            f"picamera2 cannot be used ({_one_line(error)}): sudo apt install python3-picamera2,"
            " and create the virtual environment with --system-site-packages"
        ) from None
    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    return Picamera2


def _start(camera: Any, settings: CameraSettings, luma_width_px: int) -> tuple[int, int]:
    """Configure and start the camera; return the width and height of the luma stream."""
    width, height = _even(settings.width_px), _even(settings.height_px)
    luma_width = min(_even(luma_width_px), width)
    luma_height = min(_even(round(luma_width * height / width)), height)
    sensor_width, sensor_height = camera.sensor_resolution
    configuration = camera.create_video_configuration(
        main={"size": (width, height), "format": FORMAT},
        lores={"size": (luma_width, luma_height), "format": "YUV420"},
        # A request for half the sensor's size selects the mode that reads the whole sensor with 2x2
        # binning. Without this request, small pictures use a mode that reads only the middle of the
        # sensor.
        raw={"size": (sensor_width // 2, sensor_height // 2)},
        buffer_count=BUFFERS,
        controls={"FrameRate": settings.fps},
        display=None,
        encode=None,
    )
    camera.configure(configuration)
    camera.start()
    # The camera may have chosen a slightly different size.
    chosen_width, chosen_height = camera.camera_configuration()["lores"]["size"]
    return chosen_width, chosen_height


def _cancel(camera: Any, job: Any) -> None:
    """Cancel a capture that timed out; otherwise stopping the camera would wait for it forever."""
    camera.cancel_all_and_flush()
    try:
        job.get_result(timeout=0).release()  # in case the capture completed before the cancellation
    except (TimeoutError, CancelledError):
        return


def _close(camera: Any) -> None:
    """Stop and close the camera; errors of an unplugged camera are ignored."""
    try:
        camera.stop()
    except Exception as error:
        logging.getLogger(__name__).debug("the camera cannot be stopped: %s", error)
    finally:
        camera.close()


def _even(size_px: int) -> int:
    return size_px - size_px % 2


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _describe(error: Exception) -> str:
    """Return one line on an exception of picamera2 or of libcamera's bindings."""
    class_name, message = type(error).__name__, _one_line(error)
    return message if message == class_name else f"{class_name}: {message}"
