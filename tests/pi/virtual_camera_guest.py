"""Runs in the machine of `virtual_camera.py`: our sources over the real picamera2 and V4L2."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

os.environ["LIBCAMERA_LOG_LEVELS"] = "*:ERROR"


class _Names(type):
    def __getattr__(cls, name: str) -> str:
        return name


def _stand_in(module_name: str, *class_names: str) -> None:
    """Provide a module that picamera2 imports and that is not in Debian; nothing here uses it."""
    module = types.ModuleType(module_name)
    for name in class_names:
        setattr(module, name, _Names(name, (), {}))
    sys.modules[module_name] = module


_stand_in("pykms", "PixelFormat")  # draws the preview on a screen
_stand_in("pidng")  # writes raw pictures
_stand_in("pidng.camdefs", "Picamera2Camera")
_stand_in("pidng.core", "PICAM2DNG")

import msgspec  # noqa: E402
import picamera2  # noqa: E402
from picamera2.allocators import LibcameraAllocator  # noqa: E402

from edge.camera.controls import v4l2_device as v4l2  # noqa: E402
from edge.camera.orientation import Orientation  # noqa: E402
from edge.camera.source import SourceError  # noqa: E402
from edge.camera.source_factory import open_source  # noqa: E402
from edge.config.camera_controls import CameraControls  # noqa: E402
from edge.config.settings import CameraSettings  # noqa: E402


class Mapping:
    """Maps a buffer by the length of its planes.

    picamera2 uses the number of bytes in the picture, which the virtual camera does not report.
    """

    def __init__(self, allocator: Any, buffer: Any, write: bool) -> None:
        del allocator, write
        self._planes = buffer.planes

    def __enter__(self) -> mmap.mmap:
        length = sum(plane.length for plane in self._planes)
        self._memory = mmap.mmap(self._planes[0].fd, length)
        return self._memory

    def __exit__(self, *_: object) -> None:
        try:
            self._memory.close()
        except BufferError:  # an array still refers to it
            return


class VirtualCamera(picamera2.Picamera2):
    """picamera2 with what the virtual camera lacks: it has no sensor whose pixels can be read, and
    wants buffers with two planes, which only libcamera itself allocates."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.allocator = LibcameraAllocator(self.camera)
        self.allocator.sync = Mapping

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        return [{"format": "NV12", "size": (1280, 720)}]


picamera2.Picamera2 = VirtualCamera


def settings(**values: Any) -> CameraSettings:
    return CameraSettings(source="picamera2", fps=30.0, **values)


def colours(row: Any) -> list[tuple[bool, ...]]:
    """The colours of the eight bars, as three bits each: blue, green, red."""
    step = len(row) // 8
    return [tuple(bool(level > 128) for level in row[step // 2 + step * n]) for n in range(8)]


def error_of(action: Callable[[], object]) -> str:
    """Return the message of the SourceError that `action` raises."""
    try:
        action()
    except SourceError as error:
        return str(error)
    raise AssertionError("there was no error")


BARS = [
    (True, True, True), (False, True, True), (True, True, False), (False, True, False),
    (True, False, True), (False, False, True), (True, False, False), (False, False, False),
]  # fmt: skip


def frames_are_read() -> None:
    source = open_source(settings())
    try:
        frames = [source.read() for _ in range(5)]
    finally:
        source.close()
    assert [frame.index for frame in frames] == list(range(5))
    assert frames[0].image_bgr.shape == (480, 640, 3)
    assert colours(frames[0].image_bgr[240]) == BARS, colours(frames[0].image_bgr[240])
    assert frames[0].captured_at_s < frames[4].captured_at_s
    # The virtual camera has no small picture of the same shape.
    assert frames[0].luma is None


def camera_is_opened_again() -> None:
    for _ in range(3):
        source = open_source(settings())
        assert source.read() is not None
        source.close()


def camera_on_its_side_is_turned() -> None:
    source = open_source(settings(rotate=90, mirror=True))
    frame = source.read()
    source.close()
    assert frame.image_bgr.shape == (640, 480, 3)
    assert colours(frame.image_bgr[:, 240]) == BARS


def transform_is_passed_to_libcamera() -> None:
    # The virtual camera of libcamera 0.4 accepts the transform, but ignores it.
    source = open_source(settings(rotate=180, mirror=True))
    transform = source.inner._camera.camera_configuration()["transform"]
    frame = source.read()
    source.close()
    assert (transform.hflip, transform.vflip) == (False, True)
    assert frame.orientation == Orientation(2, True)


def unsupported_controls_are_named() -> None:
    source = open_source(settings())
    source.read()
    names = source.adjust(settings(controls=CameraControls(exposure_us=10_000, contrast=1.5)))
    assert source.read() is not None
    source.close()
    assert names == ("exposure_us", "contrast")


def silent_camera_is_an_error() -> None:
    """A capture that times out is cancelled, so that closing the camera does not hang."""
    source = open_source(settings(timeout_s=0.5))
    assert source.read() is not None
    source.inner._camera.stop_()  # no request completes any more
    assert "has delivered nothing for 0.5 s" in error_of(source.read)
    source.close()
    camera_is_opened_again()


def missing_and_busy_cameras_are_errors() -> None:
    source = open_source(settings())
    for spec, message in (("picamera2:1", "no camera 1 is connected"), ("picamera2", "another")):
        assert message in error_of(lambda spec=spec: open_source(CameraSettings(source=spec)))
    source.close()


def v4l2_values(*controls: int) -> list[int]:
    """Return the values of controls of /dev/video0, as the kernel reports them."""
    values = []
    with open("/dev/video0", "rb", buffering=0) as device:  # noqa: PTH123
        for control in controls:
            request = bytearray(struct.pack("<Ii", control, 0))
            fcntl.ioctl(device, 0xC008561B, request)  # VIDIOC_G_CTRL
            values.append(struct.unpack("<Ii", request)[1])
    return values


def v4l2_camera_on_its_side_is_turned() -> None:
    sizes = []
    for rotate in (0, 90):
        source = open_source(CameraSettings(source="/dev/video0", rotate=rotate))
        sizes.append(source.read().size_px)
        source.close()
    assert sizes[0] == sizes[1][::-1], sizes


def v4l2_controls_are_set() -> None:
    """The camera is the kernel's `vivid`, whose controls are 0 to 255, normally 128 or 100."""
    camera = CameraSettings(source="/dev/video0")
    controls = CameraControls(brightness=0.5, contrast=1.5, gain=8.5, lens_position=1.0)
    numbers = (v4l2.BRIGHTNESS, v4l2.CONTRAST, v4l2.AUTOGAIN, v4l2.GAIN)
    before = v4l2_values(*numbers)[:3]
    source = open_source(msgspec.structs.replace(camera, controls=controls))
    assert source.read() is not None
    assert v4l2_values(*numbers) == [192, 192, 0, 128], v4l2_values(*numbers)
    assert source.adjust(msgspec.structs.replace(camera, controls=controls)) == ("lens_position",)
    source.adjust(camera)
    assert source.read() is not None
    assert v4l2_values(*numbers)[:3] == before == [128, 128, 1], v4l2_values(*numbers)
    source.close()


CHECKS: tuple[Callable[[], None], ...] = (
    frames_are_read,
    camera_is_opened_again,
    camera_on_its_side_is_turned,
    transform_is_passed_to_libcamera,
    unsupported_controls_are_named,
    silent_camera_is_an_error,
    missing_and_busy_cameras_are_errors,
    v4l2_camera_on_its_side_is_turned,
    v4l2_controls_are_set,
)


def main() -> None:
    for check in CHECKS:
        check()
        print("ok", check.__name__, flush=True)


if __name__ == "__main__":
    main()
