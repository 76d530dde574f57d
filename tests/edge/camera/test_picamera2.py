from __future__ import annotations

import sys
import threading
import types

import msgspec
import pytest

from edge.camera.feed import CameraFeed
from edge.camera.orientation import Orientation
from edge.camera.source import SourceError, is_picture
from edge.camera.source_factory import open_source
from edge.config.camera_controls import CameraControls
from edge.config.settings import CameraSettings, Rotation
from tests.support.camera.fake_camera import wait_for_threads
from tests.support.camera.fake_picamera2 import (
    CONTROLS,
    Picamera2,
    Transform,
    fresh_module,
    libcamera_module,
)
from tests.support.clock import Clock
from tests.support.waiting import wait_until

SETTINGS = CameraSettings(
    source="picamera2", width_px=1280, height_px=720, fps=8.0, timeout_s=0.1, reopen_for_s=60.0
)


@pytest.fixture(autouse=True)
def _fake_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", fresh_module())
    monkeypatch.setitem(sys.modules, "libcamera", libcamera_module())


def changed(**values: object) -> CameraSettings:
    return msgspec.structs.replace(SETTINGS, **values)


def test_frames_have_bgr_and_luma() -> None:
    source = open_source(SETTINGS)
    frames = [source.read() for _ in range(3)]
    source.close()
    source.close()
    for number, frame in enumerate(frames):
        assert frame is not None
        assert frame.index == number
        assert is_picture(frame.image_bgr)
        assert frame.size_px == (720, 1280)
        assert frame.image_rgb[0, 0].tolist() == [255, 0, 0]
        assert frame.luma is not None
        assert frame.luma.shape == (180, 320)
        assert (frame.luma == 76).all()  # the padding of the rows is removed
    (camera,) = Picamera2.opened
    assert camera.pending_requests == 0
    assert camera.closed
    with pytest.raises(SourceError, match="is closed"):
        source.read()


def test_camera_is_configured_from_the_settings() -> None:
    source = open_source(SETTINGS)
    (camera,) = Picamera2.opened
    configuration = camera.camera_configuration()
    assert configuration["main"] == {"size": (1280, 720), "format": "RGB888"}
    assert configuration["lores"] == {"size": (320, 180), "format": "YUV420"}
    assert configuration["raw"] == {"size": (2304, 1296)}
    assert configuration["controls"] == {"FrameRate": 8.0}
    assert configuration["buffer_count"] == 4
    source.close()


@pytest.mark.parametrize(
    ("width_px", "height_px", "luma_px"), [(161, 121, (160, 120)), (333, 999, (320, 962))]
)
def test_odd_sizes_are_made_even(width_px: int, height_px: int, luma_px: tuple[int, int]) -> None:
    settings = CameraSettings(source="picamera2", width_px=width_px, height_px=height_px)
    open_source(settings).close()
    (camera,) = Picamera2.opened
    assert camera.camera_configuration()["lores"]["size"] == luma_px


def test_luma_plane_has_the_requested_width() -> None:
    open_source(SETTINGS, luma_width_px=501).close()
    (camera,) = Picamera2.opened
    assert camera.camera_configuration()["lores"]["size"] == (500, 280)


def test_buffers_of_skipped_frames_are_returned() -> None:
    times_s = iter(range(100))
    source = open_source(SETTINGS, lambda at_s: next(times_s) % 3 == 0)
    frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames if frame] == [0, 1, 2]
    (camera,) = Picamera2.opened
    assert camera.pending_requests == 0
    source.close()


def test_second_camera_is_opened_by_number() -> None:
    open_source(CameraSettings(source="picamera2:1")).close()
    assert [camera.number for camera in Picamera2.opened] == [1]


def test_error_without_picamera2_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError) as caught:
        open_source(SETTINGS)
    assert "sudo apt install python3-picamera2" in str(caught.value)
    assert "--system-site-packages" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_camera_is_absent() -> None:
    with pytest.raises(SourceError, match=r"no camera 2 .*picamera2:0 \(imx708\), picamera2:1"):
        open_source(CameraSettings(source="picamera2:2"))
    Picamera2.cameras = ()
    with pytest.raises(SourceError, match="no camera is connected; check both ends of its cable"):
        open_source(SETTINGS)


def test_camera_in_use_is_absent() -> None:
    Picamera2.busy = True
    with pytest.raises(SourceError, match=r"camera 0 cannot be opened: .*another program"):
        open_source(SETTINGS)


@pytest.mark.parametrize("method", ["global_camera_info", "__init__", "configure"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(16, "Device or\n resource busy"), "OSError: [Errno 16] Device or resource busy"),
        (KeyError("Num"), "KeyError: 'Num'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_error_of_the_library_is_one_line(
    monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, message: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    info = method == "global_camera_info"
    monkeypatch.setattr(Picamera2, method, staticmethod(fail) if info else fail)
    with pytest.raises(SourceError) as caught:
        open_source(SETTINGS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_camera_that_cannot_be_started_is_closed() -> None:
    Picamera2.fails_to_start = True
    with pytest.raises(
        SourceError, match="cannot be started: RuntimeError: Failed to start camera: C"
    ):
        open_source(SETTINGS)
    assert [camera.closed for camera in Picamera2.opened] == [True]


def test_hanging_capture_times_out_and_can_be_closed() -> None:
    source = open_source(SETTINGS)
    assert source.read() is not None
    Picamera2.hangs = True
    with pytest.raises(SourceError, match=r"camera 0 has delivered nothing for 0\.1 s"):
        source.read()
    source.close()
    (camera,) = Picamera2.opened
    assert camera.closed
    assert camera.pending_requests == 0


def test_request_is_released_after_an_error() -> None:
    source = open_source(SETTINGS)
    Picamera2.fails_to_decode = True
    with pytest.raises(RuntimeError):
        source.read()
    assert Picamera2.opened[0].pending_requests == 0
    source.close()


def test_capture_completed_after_the_timeout_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def time_out(self: Picamera2, job: object, timeout: float | None = None) -> None:
        raise TimeoutError

    source = open_source(SETTINGS)
    monkeypatch.setattr(Picamera2, "wait", time_out)
    with pytest.raises(SourceError):
        source.read()
    assert Picamera2.opened[0].pending_requests == 0
    source.close()


def test_feed_reopens_a_hanging_camera() -> None:
    clock = Clock()
    with CameraFeed(
        lambda: open_source(SETTINGS), SETTINGS, threading.Event(), clock, random=lambda: 0.0
    ) as feed:
        wait_until(lambda: feed.take(0.1) is not None, "a frame")
        Picamera2.hangs = True
        wait_until(lambda: feed.status().state == "stalled", "the camera is stalled")
        Picamera2.hangs = False
        feed.take(0.0)  # discard the frame that the camera delivered before it hung
        clock.advance(0.6)
        wait_until(lambda: feed.take(0.1) is not None, "a frame of the reopened camera")
        assert feed.status().reopened == 1
        assert [camera.closed for camera in Picamera2.opened] == [True, False]
    wait_for_threads(0)
    assert all(camera.closed and camera.pending_requests == 0 for camera in Picamera2.opened)


#: The corner of the picture, as row and column, in which the lower right of the scene appears.
CORNERS = {
    (0, False): (-1, -1),
    (0, True): (-1, 0),
    (90, False): (-1, 0),
    (90, True): (-1, -1),
    (180, False): (0, 0),
    (180, True): (0, -1),
    (270, False): (0, -1),
    (270, True): (0, 0),
}


@pytest.mark.parametrize("can_flip", [True, False])
@pytest.mark.parametrize(("rotate", "mirror"), CORNERS)
def test_picture_is_turned_by_the_sensor_where_it_can(
    rotate: Rotation, mirror: bool, can_flip: bool
) -> None:
    Picamera2.can_flip = can_flip
    source = open_source(changed(rotate=rotate, mirror=mirror))
    frame = source.read()
    source.close()
    assert frame is not None
    assert frame.orientation == Orientation(rotate // 90, mirror)
    row, column = CORNERS[rotate, mirror]
    blue = [
        (y, x) for y in (0, -1) for x in (0, -1) if frame.image_bgr[y, x].tolist() == [255, 0, 0]
    ]
    assert blue == [(row, column)]
    sensor = Picamera2.opened[0].camera_configuration()["transform"]
    if not can_flip or rotate in (90, 270):
        assert sensor == Transform()
    else:
        assert sensor == Transform(hflip=mirror is not (rotate == 180), vflip=rotate == 180)
    if rotate in (90, 270):
        assert frame.size_px == (1280, 720)
        assert frame.luma is not None
        assert frame.luma.shape[1] == 320


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({"exposure_us": 5000}, {"FrameRate": 8.0, "ExposureTime": 5000}),
        (
            {"exposure_us": 200_000},
            {"FrameDurationLimits": (125_000, 200_000), "ExposureTime": 200_000},
        ),
        (
            {"low_light": True},
            {"FrameDurationLimits": (125_000, 200_000), "AeExposureMode": 2},
        ),
        ({"gain": 4.0}, {"FrameRate": 8.0, "AnalogueGain": 4.0}),
        ({"exposure_ev": -1.0}, {"FrameRate": 8.0, "ExposureValue": -1.0}),
        ({"metering": "matrix"}, {"FrameRate": 8.0, "AeMeteringMode": 2}),
        ({"white_balance": "indoor"}, {"FrameRate": 8.0, "AwbEnable": True, "AwbMode": 4}),
        (
            {"white_balance": 4000},
            {"FrameRate": 8.0, "AwbEnable": False, "ColourTemperature": 4000},
        ),
        (
            {"anti_flicker": 50},
            {"FrameRate": 8.0, "AeFlickerMode": 1, "AeFlickerPeriod": 10_000},
        ),
        (
            {"brightness": 0.1, "contrast": 1.5, "saturation": 0.5, "sharpness": 2.0},
            {
                "FrameRate": 8.0, "Brightness": 0.1, "Contrast": 1.5, "Saturation": 0.5,
                "Sharpness": 2.0,
            },
        ),
        ({"noise_reduction": "high_quality"}, {"FrameRate": 8.0, "NoiseReductionMode": 2}),
    ],
)  # fmt: skip
def test_controls_are_passed_when_the_camera_is_opened(
    controls: dict[str, object], expected: dict[str, object]
) -> None:
    open_source(changed(controls=CameraControls(**controls))).close()  # type: ignore[arg-type]
    assert Picamera2.opened[0].camera_configuration()["controls"] == expected


def test_newer_libcamera_is_told_that_a_value_is_manual() -> None:
    modes = {"ExposureTimeMode": (0, 1, 0), "AnalogueGainMode": (0, 1, 0)}
    Picamera2.controls = CONTROLS | modes
    open_source(changed(controls=CameraControls(exposure_us=5000, gain=2.0))).close()
    controls = Picamera2.opened[0].camera_configuration()["controls"]
    assert (controls["ExposureTimeMode"], controls["AnalogueGainMode"]) == (1, 1)


def test_unsupported_controls_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    controls = CameraControls(
        lens_position=0.7,  # the lens of this camera cannot be moved
        anti_flicker="auto",  # a mode that this camera does not have
        backlight_compensation=0.5,  # libcamera has no such control
        contrast=2.0,
    )
    open_source(changed(controls=controls)).close()
    passed = Picamera2.opened[0].camera_configuration()["controls"]
    assert passed == {"FrameRate": 8.0, "Contrast": 2.0}
    (record,) = caplog.records
    assert "backlight_compensation, lens_position, anti_flicker" in record.getMessage()


def test_changed_controls_are_set_without_reopening() -> None:
    Picamera2.controls = CONTROLS | {"AfMode": (0, 2, 0), "LensPosition": (0.0, 32.0, 1.0)}
    first = changed(controls=CameraControls(exposure_us=5000, contrast=2.0, lens_position=0.7))
    source = open_source(first)
    (camera,) = Picamera2.opened
    source.adjust(first)
    assert camera.set_values == []
    source.adjust(changed(controls=CameraControls(contrast=1.5)))
    # What is no longer set returns to the camera.
    assert camera.set_values == [
        {"ExposureTime": 0, "AfMode": 0, "LensPosition": 1.0, "FrameRate": 8.0, "Contrast": 1.5}
    ]
    source.close()


def test_refused_controls_are_an_error_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(SETTINGS)

    def refuse(self: Picamera2, controls: object) -> None:
        raise RuntimeError("Control Contrast is not\nadvertised by libcamera")

    monkeypatch.setattr(Picamera2, "set_controls", refuse)
    with pytest.raises(
        SourceError, match=r"camera 0 refuses its controls: .*\[camera\.controls\]$"
    ):
        source.adjust(changed(controls=CameraControls(contrast=1.5)))
    source.close()


@pytest.mark.parametrize(("streams", "has_luma"), [(2, True), (1, False)])
def test_camera_with_fewer_streams_is_read(streams: int, has_luma: bool) -> None:
    """libcamera also lists USB cameras, which have one stream."""
    Picamera2.streams, Picamera2.main_format = streams, "BGR888"
    Picamera2.controls = {}
    source = open_source(SETTINGS)
    frame = source.read()
    source.close()
    assert frame is not None
    assert frame.image_bgr[0, 0].tolist() == [0, 0, 255]
    assert (frame.luma is not None) == has_luma


@pytest.mark.parametrize(
    ("lores_px", "has_luma"), [((320, 180), True), ((322, 182), True), ((320, 240), False)]
)
def test_luma_plane_of_another_shape_is_not_used(lores_px: tuple[int, int], has_luma: bool) -> None:
    Picamera2.lores_px = lores_px
    source = open_source(SETTINGS)
    frame = source.read()
    source.close()
    assert frame is not None
    assert (frame.luma is not None) == has_luma


def test_unknown_format_is_an_error() -> None:
    Picamera2.main_format = "SRGGB10"
    with pytest.raises(SourceError, match="pictures in the format SRGGB10, which is not supported"):
        open_source(SETTINGS)
    assert Picamera2.opened[0].closed


def test_hdr_of_camera_module_3_is_set_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, bool, int]] = []

    class IMX708:
        def __init__(self, camera_num: int) -> None:
            self.number = camera_num

        def __enter__(self) -> IMX708:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def set_sensor_hdr_mode(self, enable: bool) -> None:
            calls.append((self.number, enable, len(Picamera2.opened)))

    device = types.ModuleType("picamera2.devices.imx708")
    device.IMX708 = IMX708  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2.devices", types.ModuleType("picamera2.devices"))
    monkeypatch.setitem(sys.modules, "picamera2.devices.imx708", device)
    open_source(SETTINGS).close()
    open_source(changed(controls=CameraControls(hdr=True))).close()
    assert calls == [(0, True, 1)]
