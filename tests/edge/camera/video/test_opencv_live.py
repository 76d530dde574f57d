from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import AbsentError, SourceError
from edge.camera.source_factory import open_source
from edge.camera.video.live_source import LiveSource
from edge.camera.video.opencv_live import V4l2Capture, open_v4l2
from edge.common.paths import user_path
from edge.config.camera_controls import CameraControls
from edge.config.settings import CameraSettings
from tests.support.footage.pictures import flat


class FakeVideoCapture:
    """A `cv2.VideoCapture` that delivers what a V4L2 camera sends."""

    def __init__(self, frame: object) -> None:
        self._frame = frame

    def retrieve(self) -> tuple[bool, object]:
        return True, self._frame


def retrieved(frame: object) -> object:
    return V4l2Capture(FakeVideoCapture(frame)).retrieve()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(120, 160), (240, 320)])
def test_jpeg_of_a_camera_is_decoded_whatever_its_size(size: tuple[int, int]) -> None:
    jpeg = cv2.imencode(".jpg", np.full((*size, 3), 90, np.uint8))[1].reshape(1, -1)
    # A driver may deliver its whole buffer, which is longer than the JPEG.
    image = retrieved(np.hstack([jpeg, np.zeros((1, 999), np.uint8)]))
    assert isinstance(image, np.ndarray)
    assert image.shape == (*size, 3)
    assert image.mean() == pytest.approx(90, abs=2)


def test_picture_that_opencv_has_unpacked_is_unchanged() -> None:
    image = flat(100)
    assert retrieved(image) is image


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff damaged", b"\x89PNG\r\n", b"\0" * 999])
def test_damaged_jpeg_is_no_picture(content: bytes) -> None:
    assert retrieved(np.frombuffer(content, np.uint8).reshape(1, -1)) is None


def test_missing_device_is_absent() -> None:
    with pytest.raises(AbsentError, match="no such camera: /dev/video99"):
        open_source(CameraSettings(source="/dev/video99"))


def test_device_that_is_no_camera_is_rejected() -> None:
    with pytest.raises(SourceError, match="/dev/null is not a camera") as caught:
        open_v4l2(user_path("/dev/null"), CameraSettings(source="/dev/null"))
    assert not isinstance(caught.value, AbsentError)


def test_camera_without_controls_or_access_is_read_as_it_is(tmp_path: Path) -> None:
    """A driver may permit one user only: no second descriptor is opened without a reason."""
    source = LiveSource(V4l2Capture(cv2.VideoCapture()), "camera", 1.0, device=tmp_path / "missing")
    assert source.adjust(CameraSettings()) == ()
    controls = CameraControls(gain=2.0)
    assert source.adjust(CameraSettings(controls=controls)) == ("gain",)
