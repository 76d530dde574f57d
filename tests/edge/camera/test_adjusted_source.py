"""Every kind of source is turned, whatever the camera itself can do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.adjusted_source import AdjustedSource
from edge.camera.controls.unsupported_controls import UnsupportedControls
from edge.camera.orientation import Orientation
from edge.camera.source import Frame
from edge.camera.source_factory import open_source
from edge.common.arrays import Pixels
from edge.config.camera_controls import CameraControls
from edge.config.settings import CameraSettings, Rotation, Settings, change
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.camera.rtsp_server import RtspCamera

TURNS: list[Rotation] = [0, 90, 180, 270]


def scene() -> Pixels:
    """A dark picture, 64 px wide and 48 px high, with a bright upper left corner."""
    picture = np.full((48, 64, 3), 30, np.uint8)
    picture[:24, :32] = 220
    return picture


def write_video(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for _ in range(3):
        writer.write(scene())
    writer.release()
    return path


@pytest.fixture(params=["video", "folder", "http"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A source that shows the scene."""
    if request.param == "video":
        yield str(write_video(tmp_path / "clip.mp4"))
    elif request.param == "folder":
        cv2.imwrite(str(tmp_path / "1.png"), scene())
        yield str(tmp_path)
    else:
        with MjpegCamera([scene()]) as server:
            yield server.url


@pytest.mark.parametrize("rotate", TURNS)
@pytest.mark.parametrize("mirror", [False, True])
def test_every_source_is_turned(source: str, rotate: Rotation, mirror: bool) -> None:
    settings = CameraSettings(source=source, rotate=rotate, mirror=mirror)
    opened = open_source(settings)
    frame = opened.read()
    opened.close()
    assert frame is not None
    expected = Orientation.of(settings).apply(scene())
    assert frame.image_bgr.shape == expected.shape
    assert np.abs(frame.image_bgr.astype(int) - expected).mean() < 10


@pytest.mark.slow
def test_rtsp_camera_is_turned(tmp_path: Path) -> None:
    with RtspCamera(tmp_path) as camera:
        pictures = []
        for rotate in (0, 90):
            source = open_source(CameraSettings(source=camera.url, rotate=rotate))
            frame = source.read()
            source.close()
            assert frame is not None
            pictures.append(frame)
    assert [picture.size_px for picture in pictures] == [(480, 640), (640, 480)]


class Camera:
    """A live source that turns its pictures itself, and supports no control."""

    live = True

    def __init__(self, own: Orientation) -> None:
        self.own = own
        self.closed = False
        self.error: Exception | None = None
        self.controls: list[CameraControls] = []

    def read(self) -> Frame:
        image = self.own.apply(scene())
        return Frame(image, 0.0, 0, image[::2, ::2, 0].copy(), self.own)

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        if self.error is not None:
            raise self.error
        self.controls.append(settings.controls)
        return settings.controls.names

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("rotate", TURNS)
@pytest.mark.parametrize("own", [Orientation(2), Orientation(2, True), Orientation(0, True)])
def test_only_the_rest_is_turned(rotate: Rotation, own: Orientation) -> None:
    """The sensor of a camera may turn less than it was asked for, or more."""
    settings = CameraSettings(rotate=rotate)
    frame = AdjustedSource(Camera(own), settings, UnsupportedControls()).read()
    assert frame is not None
    assert frame.luma is not None
    assert np.array_equal(frame.image_bgr, Orientation.of(settings).apply(scene()))
    assert np.array_equal(frame.luma, Orientation.of(settings).apply(scene()[::2, ::2, 0]))
    assert frame.orientation == Orientation.of(settings)


def test_controls_change_at_night() -> None:
    """The hours include midnight; what they do not set is as in the day."""
    now = [20 * 60 + 29]
    settings = change(
        Settings(),
        camera={
            "controls": {"gain": 1.0, "contrast": 2.0},
            "night": {"start": "20:30", "end": "06:00", "controls": {"gain": 8.0}},
        },
    ).camera
    camera = Camera(Orientation())
    source = AdjustedSource(camera, settings, UnsupportedControls(), lambda: now[0])
    seen = []
    for minute in (20 * 60 + 29, 20 * 60 + 30, 20 * 60 + 31, 0, 359, 360, 361):
        now[0] = minute
        source.read()
        seen.append(camera.controls[-1].gain)
    assert seen == [1.0, 8.0, 8.0, 8.0, 8.0, 1.0, 1.0]
    # They are set when they change, and not for each frame.
    assert [controls.gain for controls in camera.controls] == [1.0, 8.0, 1.0]
    assert {controls.contrast for controls in camera.controls} == {2.0}


def test_source_that_cannot_be_adjusted_is_closed() -> None:
    camera = Camera(Orientation())
    camera.error = OSError("gone")
    with pytest.raises(OSError, match="gone"):
        AdjustedSource(camera, CameraSettings(), UnsupportedControls())
    assert camera.closed


def test_unsupported_controls_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    unsupported = UnsupportedControls()
    settings = CameraSettings(
        source="rtsp://me:secret@cam/1", controls=CameraControls(gain=2.0, hdr=True)
    )
    for _ in range(3):  # the camera is opened again
        source = AdjustedSource(Camera(Orientation()), settings, unsupported)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "rtsp://cam/1 does not support" in record.getMessage()
    assert "gain, hdr" in record.getMessage()
    source.adjust(CameraSettings(controls=CameraControls(gain=2.0)))
    assert len(caplog.records) == 2
    source.adjust(CameraSettings())
    assert len(caplog.records) == 2
