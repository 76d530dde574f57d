"""What picamera2 0.3 looks like from outside, for machines without a Raspberry Pi's camera.

Signatures, shapes and failures are those of its source: `capture_request(wait=False)` gives a
job, a stop waits behind jobs that nobody cancelled, a request that is never released starves
the camera, and the constructor raises IndexError or RuntimeError.
"""

from __future__ import annotations

import types
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np

from edge.common.arrays import Pixels

#: libcamera pads the rows of a plane.
STRIDE_PX = 384


class Request:
    def __init__(self, camera: Picamera2) -> None:
        self._camera = camera

    def make_array(self, name: str) -> Pixels:
        width, height = self._camera.camera_configuration()[name]["size"]
        if name == "lores":
            planes = np.full((height * 3 // 2, STRIDE_PX), 128, np.uint8)
            planes[:height, :width] = 76  # the luma of red
            planes[:height, width:] = 255
            return planes
        if self._camera.breaks:
            raise RuntimeError("Stream 'main' is not defined")
        # RGB888 is blue, green, red in memory.
        return np.full((height, width, 3), (0, 0, 255), np.uint8)

    def release(self) -> None:
        self._camera.out -= 1


class Job:
    def __init__(self) -> None:
        self.future: Future[Request] = Future()
        self.future.set_running_or_notify_cancel()

    def get_result(self, timeout: float | None = None) -> Request:
        return self.future.result(timeout=timeout)

    def cancel(self) -> None:
        self.future.set_exception(CancelledError())


class Picamera2:
    cameras: tuple[str, ...] = ("imx708", "ov5647")
    busy = False
    refuses_to_start = False
    hangs = False
    breaks = False
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
        self.out = 0
        Picamera2.opened.append(self)

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006
        lores: dict[str, Any] | None = None,
        raw: dict[str, Any] | None = {},  # noqa: B006
        transform: Any = None,
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        sensor: dict[str, Any] = {},  # noqa: B006
        use_case: str = "video",
    ) -> dict[str, Any]:
        for stream in (main, lores or {}, raw or {}):
            assert set(stream) <= {"format", "size", "stride", "preserve_ar"}
            width, height = stream["size"]
            assert width % 2 == height % 2 == 0
        assert lores is None or lores["size"] <= main["size"]
        return {
            "main": main,
            "lores": lores,
            "raw": raw,
            "buffer_count": buffer_count,
            "controls": controls,
            "display": display,
            "encode": encode,
        }

    def configure(self, camera_config: dict[str, Any] | None = None) -> None:
        self.configuration = camera_config

    def camera_configuration(self) -> dict[str, Any]:
        assert self.configuration is not None
        return self.configuration

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        if self.refuses_to_start:
            raise RuntimeError("Failed to start camera: Cannot allocate memory")
        self.started = True

    def capture_request(
        self, wait: Any = None, signal_function: Any = None, flush: Any = None
    ) -> Job:
        assert wait is False, "this one can wait for ever"
        assert self.started
        assert self.out == 0, "the request before was never released"
        job = Job()
        if self.hangs:
            self.jobs.append(job)
        else:
            self.out += 1
            job.future.set_result(Request(self))
        return job

    def wait(self, job: Job, timeout: float | None = None) -> Request:
        return job.get_result(timeout=timeout)

    def cancel_all_and_flush(self) -> None:
        for job in self.jobs:
            job.cancel()
        self.jobs = []

    def stop(self) -> None:
        assert not self.jobs, "this would wait behind a capture that never ends"
        self.started = False

    def close(self) -> None:
        self.stop()
        self.closed = True


def fresh_module() -> types.ModuleType:
    """The module as `import picamera2` finds it, with a class that no other test has used."""
    module = types.ModuleType("picamera2")
    for name, value in (
        ("cameras", ("imx708", "ov5647")),
        ("opened", []),
        ("busy", False),
        ("refuses_to_start", False),
        ("hangs", False),
        ("breaks", False),
    ):
        setattr(Picamera2, name, value)
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    return module
