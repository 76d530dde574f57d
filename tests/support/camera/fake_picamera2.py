"""A substitute for picamera2 0.3, for machines without a camera module of the Raspberry Pi.

Signatures, shapes and failures are those of the source code of picamera2 0.3.
`capture_request(wait=False)` returns a job. Stopping the camera waits for jobs that were not
cancelled. A camera whose requests are never released runs out of buffers. The constructor raises
IndexError or RuntimeError if there is no usable camera.
"""

from __future__ import annotations

import types
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.common.arrays import Pixels

#: Length of a row in memory; it exceeds the width, because libcamera pads the rows of a plane.
STRIDE_PX = 384


#: Those of a Camera Module 3 with libcamera 0.4, except those of its lens.
CONTROLS: dict[str, tuple[Any, Any, Any]] = {
    "AeExposureMode": (0, 3, 0),
    "AeFlickerMode": (0, 1, 0),
    "AeFlickerPeriod": (100, 1_000_000, None),
    "AeMeteringMode": (0, 3, 0),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AwbEnable": (False, True, None),
    "AwbMode": (0, 7, 0),
    "Brightness": (-1.0, 1.0, 0.0),
    "ColourTemperature": (100, 100_000, None),
    "Contrast": (0.0, 32.0, 1.0),
    "ExposureTime": (1, 66_666, 20_000),
    "ExposureValue": (-8.0, 8.0, 0.0),
    "FrameDurationLimits": (33_333, 120_000, 33_333),
    "NoiseReductionMode": (0, 4, 0),
    "Saturation": (0.0, 32.0, 1.0),
    "Sharpness": (0.0, 16.0, 1.0),
}


@dataclass(frozen=True)
class Transform:
    """How the sensor turns its picture; in place of `libcamera.Transform`."""

    hflip: bool = False
    vflip: bool = False
    transpose: bool = False


class Request:
    """A completed request, which holds a buffer until `release` is called."""

    def __init__(self, camera: Picamera2) -> None:
        self._camera = camera

    def make_array(self, name: str) -> Pixels:
        width, height = self._camera.camera_configuration()[name]["size"]
        if name == "lores":
            planes = np.full((height * 3 // 2, STRIDE_PX), 128, np.uint8)
            planes[:height, :width] = 76  # the luma value of red
            planes[:height, width:] = 255
            return planes
        if self._camera.fails_to_decode:
            raise RuntimeError("Stream 'main' is not defined")
        # The picture is red, with a blue corner at the lower right of the scene.
        # RGB888 is blue, green, red in memory.
        image = np.full((height, width, 3), (0, 0, 255), np.uint8)
        image[-height // 4 :, -width // 4 :] = (255, 0, 0)
        transform = self._camera.camera_configuration()["transform"]
        image = image[:: -1 if transform.vflip else 1, :: -1 if transform.hflip else 1]
        return np.ascontiguousarray(
            image if Picamera2.main_format == "RGB888" else image[:, :, ::-1]
        )

    def release(self) -> None:
        self._camera.pending_requests -= 1


class Job:
    """A capture that may not have completed."""

    def __init__(self) -> None:
        self.future: Future[Request] = Future()
        self.future.set_running_or_notify_cancel()

    def get_result(self, timeout: float | None = None) -> Request:
        return self.future.result(timeout=timeout)

    def cancel(self) -> None:
        self.future.set_exception(CancelledError())


class Picamera2:
    """The camera class; the class attributes control how every instance behaves."""

    cameras: tuple[str, ...] = ("imx708", "ov5647")
    #: What the camera advertises: the least, the greatest and the default value of each control.
    controls: dict[str, tuple[Any, Any, Any]] = CONTROLS
    can_flip = True
    #: Streams that the camera can deliver at the same time, and the format of its pictures.
    streams = 3
    main_format = "RGB888"
    #: The only size of the small stream that the camera has, None for every size.
    lores_px: tuple[int, int] | None = None
    busy = False
    fails_to_start = False
    hangs = False
    fails_to_decode = False
    opened: list[Picamera2] = []  # noqa: RUF012

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [
            {"Model": model, "Location": 2, "Rotation": 180, "Id": f"/base/{model}", "Num": at}
            for at, model in enumerate(Picamera2.cameras)
        ]

    def __init__(
        self,
        camera_num: int = 0,
        verbose_console: int | None = None,
        tuning: Any = None,
        allocator: Any = None,
    ) -> None:
        self.number = self.global_camera_info()[camera_num]["Num"]
        if self.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.sensor_resolution = (4608, 2592)
        self.configuration: dict[str, Any] | None = None
        self.started = self.closed = False
        self.jobs: list[Job] = []
        self.pending_requests = 0
        #: Every value that was set while the camera ran.
        self.set_values: list[dict[str, Any]] = []
        Picamera2.opened.append(self)

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        return self.controls

    def set_controls(self, controls: dict[str, Any]) -> None:
        assert self.started
        self._check(controls)
        self.set_values.append(controls)

    def _check(self, controls: dict[str, Any]) -> None:
        for name in controls:
            if name.replace("FrameRate", "FrameDurationLimits") not in self.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006
        lores: dict[str, Any] | None = None,
        raw: dict[str, Any] | None = {},  # noqa: B006
        transform: Transform = Transform(),
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        sensor: dict[str, Any] = {},  # noqa: B006
        use_case: str = "video",
    ) -> dict[str, Any]:
        for stream in filter(None, (main, lores, raw)):
            assert set(stream) <= {"format", "size", "stride", "preserve_ar"}
            width, height = stream["size"]
            assert width % 2 == height % 2 == 0
        assert lores is None or lores["size"] <= main["size"]
        return {
            "main": main,
            "lores": lores,
            "raw": raw,
            "transform": transform,
            "buffer_count": buffer_count,
            "controls": controls,
            "display": display,
            "encode": encode,
        }

    def configure(self, camera_config: dict[str, Any] | None = None) -> None:
        assert camera_config is not None
        if sum(camera_config[name] is not None for name in ("main", "lores", "raw")) > self.streams:
            raise IndexError("Index out of range")
        self._check(camera_config["controls"])
        camera_config["main"] = camera_config["main"] | {"format": self.main_format}
        if self.lores_px is not None and camera_config["lores"] is not None:
            camera_config["lores"] = camera_config["lores"] | {"size": self.lores_px}
        if not self.can_flip:
            camera_config["transform"] = Transform()
        self.configuration = camera_config

    def camera_configuration(self) -> dict[str, Any]:
        assert self.configuration is not None
        return self.configuration

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        if self.fails_to_start:
            raise RuntimeError("Failed to start camera: Cannot allocate memory")
        self.started = True

    def capture_request(
        self, wait: Any = None, signal_function: Any = None, flush: Any = None
    ) -> Job:
        assert wait is False, "with wait=True the call may never return"
        assert self.started
        assert self.pending_requests == 0, "the previous request was not released"
        job = Job()
        if self.hangs:
            self.jobs.append(job)
        else:
            self.pending_requests += 1
            job.future.set_result(Request(self))
        return job

    def wait(self, job: Job, timeout: float | None = None) -> Request:
        return job.get_result(timeout=timeout)

    def cancel_all_and_flush(self) -> None:
        for job in self.jobs:
            job.cancel()
        self.jobs = []

    def stop(self) -> None:
        assert not self.jobs, "stopping would wait forever for a capture"
        self.started = False

    def close(self) -> None:
        self.stop()
        self.closed = True


def fresh_module() -> types.ModuleType:
    """Return the module that `import picamera2` is to find, with the class in its initial state."""
    module = types.ModuleType("picamera2")
    for name, value in (
        ("cameras", ("imx708", "ov5647")),
        ("controls", CONTROLS),
        ("can_flip", True),
        ("streams", 3),
        ("main_format", "RGB888"),
        ("lores_px", None),
        ("opened", []),
        ("busy", False),
        ("fails_to_start", False),
        ("hangs", False),
        ("fails_to_decode", False),
    ):
        setattr(Picamera2, name, value)
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    return module


def libcamera_module() -> types.ModuleType:
    """Return the module that `import libcamera` is to find."""
    module = types.ModuleType("libcamera")
    module.Transform = Transform  # type: ignore[attr-defined]
    return module
