from __future__ import annotations

import sys
import threading

import pytest

from edge.camera.feed import CameraFeed
from edge.camera.source import SourceError, is_picture
from edge.camera.source_address import full_spec, picamera2_number
from edge.camera.source_factory import is_recorded, open_source
from edge.config.settings import CameraSettings
from tests.support.brokers import wait_until
from tests.support.clock import Clock
from tests.support.fake_camera import wait_for_threads
from tests.support.fake_picamera2 import Picamera2, fresh_module

SETTINGS = CameraSettings(
    source="picamera2", width_px=1280, height_px=720, fps=8.0, timeout_s=0.1, reopen_for_s=60.0
)


@pytest.fixture(autouse=True)
def _camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", fresh_module())


def test_frames_in_colour_and_in_luma() -> None:
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
        assert (frame.luma == 76).all()  # without the padding of the rows
    (camera,) = Picamera2.opened
    assert camera.out == 0
    assert camera.closed
    with pytest.raises(SourceError, match="is closed"):
        source.read()


def test_what_the_camera_is_asked_for() -> None:
    source = open_source(SETTINGS)
    (camera,) = Picamera2.opened
    asked = camera.camera_configuration()
    assert asked["main"] == {"size": (1280, 720), "format": "RGB888"}
    assert asked["lores"] == {"size": (320, 180), "format": "YUV420"}
    assert asked["raw"] == {"size": (2304, 1296)}
    assert asked["controls"] == {"FrameRate": 8.0}
    assert asked["buffer_count"] == 4
    source.close()


@pytest.mark.parametrize(
    ("width_px", "height_px", "luma_px"), [(161, 121, (160, 120)), (333, 999, (320, 962))]
)
def test_odd_sizes_are_made_even(width_px: int, height_px: int, luma_px: tuple[int, int]) -> None:
    settings = CameraSettings(source="picamera2", width_px=width_px, height_px=height_px)
    open_source(settings).close()
    (camera,) = Picamera2.opened
    assert camera.camera_configuration()["lores"]["size"] == luma_px


def test_the_luma_plane_is_as_wide_as_is_searched() -> None:
    open_source(SETTINGS, luma_width_px=501).close()
    (camera,) = Picamera2.opened
    assert camera.camera_configuration()["lores"]["size"] == (500, 280)


def test_a_camera_that_is_faster_than_is_wanted_keeps_its_buffers() -> None:
    times_s = iter(range(100))
    source = open_source(SETTINGS, lambda at_s: next(times_s) % 3 == 0)
    frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames if frame] == [0, 1, 2]
    (camera,) = Picamera2.opened
    assert camera.out == 0
    source.close()


def test_the_second_camera() -> None:
    open_source(CameraSettings(source="picamera2:1")).close()
    assert [camera.number for camera in Picamera2.opened] == [1]


@pytest.mark.parametrize(
    ("source", "number", "full"),
    [
        ("picamera2", 0, "picamera2:0"),
        ("picamera2:1", 1, "picamera2:1"),
        ("picamera2:x", None, "picamera2:x"),
        ("picamera2/", None, "picamera2/"),
        ("0", None, "/dev/video0"),
    ],
)
def test_how_it_is_written(source: str, number: int | None, full: str) -> None:
    assert picamera2_number(source) == number
    assert full_spec(source) == full


@pytest.mark.parametrize(
    ("source", "recorded"),
    [
        ("picamera2", False),
        ("0", False),
        ("/dev/video3", False),
        ("rtsp://cam/1", False),
        ("/dev/null", False),
        ("demo", True),
        ("clip.mp4", True),
    ],
)
def test_what_is_recorded(source: str, recorded: bool) -> None:
    assert is_recorded(CameraSettings(source=source)) is recorded


def test_without_picamera2_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError) as caught:
        open_source(SETTINGS)
    assert "sudo apt install python3-picamera2" in str(caught.value)
    assert "--system-site-packages" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_camera_and_the_wrong_number() -> None:
    with pytest.raises(SourceError, match=r"no camera 2 .*picamera2:0 \(imx708\), picamera2:1"):
        open_source(CameraSettings(source="picamera2:2"))
    Picamera2.cameras = ()
    with pytest.raises(SourceError, match="no camera is connected; check both ends of its cable"):
        open_source(SETTINGS)


def test_a_camera_that_another_program_has() -> None:
    Picamera2.busy = True
    with pytest.raises(SourceError, match=r"camera 0 cannot be opened: .*another program"):
        open_source(SETTINGS)


@pytest.mark.parametrize("method", ["global_camera_info", "__init__", "configure"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(16, "Device or\n resource busy"), "OSError: [Errno 16] Device or resource busy"),
        (KeyError("Num"), "KeyError: 'Num'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_whatever_the_library_raises_becomes_one_line(
    monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, said: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    info = method == "global_camera_info"
    monkeypatch.setattr(Picamera2, method, staticmethod(fails) if info else fails)
    with pytest.raises(SourceError) as caught:
        open_source(SETTINGS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_camera_that_does_not_start_is_closed_again() -> None:
    Picamera2.refuses_to_start = True
    with pytest.raises(
        SourceError, match="cannot be started: RuntimeError: Failed to start camera: C"
    ):
        open_source(SETTINGS)
    assert [camera.closed for camera in Picamera2.opened] == [True]


def test_a_capture_that_hangs_for_ever_ends_at_the_time_out_and_the_camera_can_be_closed() -> None:
    source = open_source(SETTINGS)
    assert source.read() is not None
    Picamera2.hangs = True
    with pytest.raises(SourceError, match=r"camera 0 has delivered nothing for 0\.1 s"):
        source.read()
    source.close()
    (camera,) = Picamera2.opened
    assert camera.closed
    assert camera.out == 0


def test_a_request_is_released_whatever_happens_to_its_picture() -> None:
    source = open_source(SETTINGS)
    Picamera2.breaks = True
    with pytest.raises(RuntimeError):
        source.read()
    assert Picamera2.opened[0].out == 0
    source.close()


def test_a_capture_that_comes_in_the_very_last_moment_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_late(self: Picamera2, job: object, timeout: float | None = None) -> None:
        raise TimeoutError

    source = open_source(SETTINGS)
    monkeypatch.setattr(Picamera2, "wait", too_late)
    with pytest.raises(SourceError):
        source.read()
    assert Picamera2.opened[0].out == 0
    source.close()


def test_the_feed_opens_a_hanging_camera_anew() -> None:
    clock = Clock()
    with CameraFeed(
        lambda: open_source(SETTINGS), SETTINGS, threading.Event(), clock, random=lambda: 0.0
    ) as feed:
        wait_until(lambda: feed.take(0.1) is not None, "a frame")
        Picamera2.hangs = True
        wait_until(lambda: feed.status().state == "stalled", "it hangs")
        Picamera2.hangs = False
        feed.take(0.0)  # what came before it hung
        clock.advance(0.6)
        wait_until(lambda: feed.take(0.1) is not None, "a frame of the new opening")
        assert feed.status().reopened == 1
        assert [camera.closed for camera in Picamera2.opened] == [True, False]
    wait_for_threads(0)
    assert all(camera.closed and camera.out == 0 for camera in Picamera2.opened)
