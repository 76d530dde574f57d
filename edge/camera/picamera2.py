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
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge.camera.controls.libcamera_controls import frame_rate, supported_values, with_resets
from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.orientation import UNTURNED, Orientation
from edge.camera.source import AbsentError, Frame, SourceError
from edge.config.camera_controls import CameraControls
from edge.config.settings import CameraSettings

#: One buffer is being exposed, one is queued for exposure, one is being read, and one is spare.
#: With fewer buffers libcamera skips frames.
BUFFERS = 4
#: picamera2 names formats as the kernel does, from the highest byte of a little-endian word. The
#: order in memory is therefore blue, green, red, which is the order of OpenCV.
FORMAT = "RGB888"
#: How to convert the formats that a camera may choose instead. A camera module of a Raspberry Pi
#: delivers `FORMAT`; a USB camera, or one without an image processor, may not.
CONVERSIONS = {
    "BGR888": cv2.COLOR_RGB2BGR,
    "XRGB8888": cv2.COLOR_BGRA2BGR,
    "XBGR8888": cv2.COLOR_RGBA2BGR,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "MJPEG": cv2.COLOR_RGB2BGR,  # picamera2 decodes the JPEG to red, green, blue
}
#: Greatest difference of the ratio of the sides of the picture and its luma plane, as a share:
#: sizes are rounded to even numbers.
MAX_SHAPE_DIFFERENCE = 0.02
#: The camera module whose sensor makes HDR pictures itself.
HDR_SENSOR = "imx708"

log = logging.getLogger(__name__)


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
    sensor_hdr = models[number].startswith(HDR_SENSOR)
    try:
        if sensor_hdr and settings.controls.hdr is not None:
            _set_sensor_hdr(number, settings.controls.hdr)
        camera = camera_class(number)
    except Exception as error:
        raise AbsentError(
            f"{name} cannot be opened: {_describe(error)}; is another program using it?"
        ) from None
    try:
        values = _Controls(camera, settings, sensor_hdr)
        streams = _start(camera, settings, luma_width_px, values)
    except Exception as error:
        _close(camera)
        raise AbsentError(f"{name} cannot be started: {_describe(error)}") from None
    return Picamera2Source(
        camera, name, streams, values, settings.timeout_s, frame_filter=frame_filter
    )


@dataclass(frozen=True)
class _Streams:
    """What the camera delivers after it was started.

    `luma_px` is the width and height of the luma stream, None without one. `conversion` is the code
    of `cv2.cvtColor` that yields BGR, None if the pictures are BGR.
    """

    orientation: Orientation
    luma_px: tuple[int, int] | None
    conversion: int | None


class _Controls:
    """The values of libcamera's controls that were passed to the camera."""

    def __init__(self, camera: Any, settings: CameraSettings, sensor_hdr: bool) -> None:
        """Determine the values for `settings`, which `_start` passes to the open `camera`."""
        self._camera, self._sensor_hdr, self._fps = camera, sensor_hdr, settings.fps
        self.values, self._unsupported = self._determine(settings.controls)

    def change(self, settings: CameraSettings) -> tuple[str, ...]:
        """Pass the controls of `settings` to the camera; return the names of unsupported ones."""
        values, self._unsupported = self._determine(settings.controls)
        if values != self.values:
            advertised = self._camera.camera_controls
            self._camera.set_controls(with_resets(values, self.values, advertised))
            self.values = values
        return self._unsupported

    def _determine(self, controls: CameraControls) -> tuple[dict[str, object], tuple[str, ...]]:
        advertised = self._camera.camera_controls
        values, unsupported = supported_values(controls, advertised, self._sensor_hdr)
        if "FrameDurationLimits" in advertised:
            values |= frame_rate(controls, self._fps)
        return values, unsupported


class Picamera2Source:
    """The frames of a started camera, each with its luma plane."""

    live = True

    def __init__(
        self,
        camera: Any,
        name: str,
        streams: _Streams,
        controls: _Controls,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        frame_filter: FrameFilter = accept_all,
    ) -> None:
        """Take ownership of a started `camera`, which delivers `streams`."""
        self._camera: Any | None = camera
        self._name = name
        self._streams = streams
        self._controls = controls
        self._timeout_s = timeout_s
        self._clock = clock
        self._frame_filter = frame_filter
        self._index = -1

    def read(self) -> Frame | None:
        """Return the next frame that the filter accepts.

        Raises SourceError when the camera delivers no frame within the time-out.
        """
        camera, streams = self._camera, self._streams
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
                luma = None
                if streams.luma_px is not None:
                    width, height = streams.luma_px
                    luma = np.ascontiguousarray(request.make_array("lores")[:height, :width])
            finally:
                request.release()
            if streams.conversion is not None:
                image = np.asarray(cv2.cvtColor(image, streams.conversion), np.uint8)
            self._index += 1
            return Frame(image, arrived_s, self._index, luma, streams.orientation)

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Pass the controls of `settings` to the camera; return the names of unsupported ones."""
        try:
            return self._controls.change(settings)
        except Exception as error:  # of the bindings; see `open_picamera2`
            raise SourceError(
                f"{self._name} refuses its controls: {_describe(error)}; change [camera.controls]"
            ) from None

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
            " and create the virtual environment with --system-site-packages (in a clone:"
            " make clean, and start again)"
        ) from None
    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    return Picamera2


def _start(
    camera: Any, settings: CameraSettings, luma_width_px: int, controls: _Controls
) -> _Streams:
    """Configure and start the camera; raises the exception of the first configuration tried.

    A camera module delivers the picture, its luma plane and, unused, the pixels of its sensor.
    Other cameras of libcamera may have fewer streams.
    """
    first: Exception | None = None
    for luma, raw in ((True, True), (True, False), (False, False)):
        try:
            camera.configure(_configuration(camera, settings, luma_width_px, controls, luma, raw))
            break
        except Exception as error:  # the bindings raise exceptions of many classes
            first = first or error
    else:
        assert first is not None
        raise first
    camera.start()
    # The camera may have chosen a slightly different size, and its sensor may not be able to turn
    # the picture.
    chosen = camera.camera_configuration()
    form = chosen["main"].get("format", FORMAT)
    if form != FORMAT and form not in CONVERSIONS:
        raise SourceError(f"it delivers pictures in the format {form}, which is not supported")
    lores = chosen.get("lores")
    luma_px = tuple(lores["size"]) if lores else None
    if luma_px is not None and not _same_shape(luma_px, chosen["main"]["size"]):
        luma_px = None
    return _Streams(_orientation_of(chosen.get("transform")), luma_px, CONVERSIONS.get(form))


def _configuration(
    camera: Any,
    settings: CameraSettings,
    luma_width_px: int,
    controls: _Controls,
    with_luma: bool,
    with_raw: bool,
) -> Any:
    """Return the configuration for `Picamera2.configure`."""
    width, height = _even(settings.width_px), _even(settings.height_px)
    wanted = Orientation.of(settings)
    # `luma_width_px` is the width after the picture was turned.
    luma_share = min(1.0, _even(luma_width_px) / (height if wanted.swaps_sides else width))
    luma_size = (_even(round(width * luma_share)), _even(round(height * luma_share)))
    sensor_width, sensor_height = camera.sensor_resolution
    optional = {}
    if not wanted.swaps_sides and wanted != UNTURNED:
        optional["transform"] = _transform(wanted)
    return camera.create_video_configuration(
        main={"size": (width, height), "format": FORMAT},
        lores={"size": luma_size, "format": "YUV420"} if with_luma else None,
        # A request for half the sensor's size selects the mode that reads the whole sensor with 2x2
        # binning. Without this request, small pictures use a mode that reads only the middle of the
        # sensor.
        raw={"size": (sensor_width // 2, sensor_height // 2)} if with_raw else None,
        buffer_count=BUFFERS,
        controls=controls.values,
        display=None,
        encode=None,
        **optional,
    )


def _transform(wanted: Orientation) -> Any:
    """Return the transform with which the sensor turns the picture, if its sides stay the same.

    A sensor can read its rows and its columns backwards, but not exchange them.
    """
    from libcamera import Transform

    upside_down = wanted.quarter_turns == 2
    return Transform(hflip=wanted.mirror is not upside_down, vflip=upside_down)


def _orientation_of(transform: Any) -> Orientation:
    """Return the orientation that a transform of the camera gives to the picture."""
    if transform is None:
        return UNTURNED
    horizontal, vertical = bool(transform.hflip), bool(transform.vflip)
    return Orientation(2 if vertical else 0, horizontal is not vertical)


def _set_sensor_hdr(number: int, enabled: bool) -> None:
    """Switch HDR of the sensor of Camera Module 3, which must be done before it is opened."""
    from picamera2.devices.imx708 import IMX708

    with IMX708(number) as sensor:
        sensor.set_sensor_hdr_mode(enabled)


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
        log.debug("the camera cannot be stopped: %s", error)
    finally:
        camera.close()


def _same_shape(one_px: tuple[int, int], other_px: tuple[int, int]) -> bool:
    """Return whether two sizes have the same ratio of their sides, apart from rounding."""
    one, other = one_px[0] / one_px[1], other_px[0] / other_px[1]
    return abs(one - other) <= MAX_SHAPE_DIFFERENCE * other


def _even(size_px: int) -> int:
    return size_px - size_px % 2


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _describe(error: Exception) -> str:
    """Return one line on an exception of picamera2 or of libcamera's bindings."""
    class_name, message = type(error).__name__, _one_line(error)
    return message if message == class_name else f"{class_name}: {message}"
