from __future__ import annotations

import sys
import threading

import pytest

from edge.camera.feed import CameraFeed
from edge.camera.source import SourceError, is_picture
from edge.camera.source_factory import open_source
from edge.config.settings import CameraSettings
from tests.support.camera.fake_camera import wait_for_threads
from tests.support.camera.fake_picamera2 import Picamera2, fresh_module
from tests.support.clock import Clock
from tests.support.waiting import wait_until

SETTINGS = CameraSettings(
    source="picamera2", width_px=1280, height_px=720, fps=8.0, timeout_s=0.1, reopen_for_s=60.0
)


@pytest.fixture(autouse=True)
def _fake_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", fresh_module())


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
