from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.camera.video.recordings import VideoFile
from edge.common.arrays import Pixels
from edge.common.paths import demo_clip
from edge.detection.scene_cut import SceneCutDetector
from edge.detection.thumbnail import make_thumbnail

PERIOD_S = 1 / 15


@pytest.fixture(scope="module")
def demo() -> list[Pixels]:
    source, pictures = VideoFile(demo_clip()), []
    while (frame := source.read()) is not None:
        pictures.append(frame.image_bgr)
    source.close()
    return pictures


def cuts(pictures: list[Pixels], period_s: float = PERIOD_S) -> list[int]:
    """The indices of the pictures before which there is a cut."""
    detector = SceneCutDetector()
    return [
        index
        for index, picture in enumerate(pictures)
        if detector.is_cut(make_thumbnail(Frame(picture, 0.0, index)), index * period_s)
    ]


def elsewhere(picture: Pixels) -> Pixels:
    """The view of another camera: the upper right part, enlarged and mirrored."""
    height, width = picture.shape[:2]
    part = picture[: height // 2, width // 2 :, :][:, ::-1]
    return np.asarray(cv2.resize(part, (width, height)), np.uint8)


def relit(picture: Pixels, gain: float, offset: float = 0.0) -> Pixels:
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_moving_people_are_no_cut(demo: list[Pixels], step: int) -> None:
    """The clip is played twice in a row, at 15, 7.5 and 3 frames a second."""
    assert cuts((demo + demo)[::step], step * PERIOD_S) == []


@pytest.mark.parametrize("moment", [0, 60, 110, 200, 300, 370])
def test_switching_cameras_is_a_cut(demo: list[Pixels], moment: int) -> None:
    other = [elsewhere(picture) for picture in demo[moment : moment + 5]]
    assert cuts(demo[moment : moment + 5] + other + demo[moment + 5 : moment + 10]) == [5, 10]


def test_change_of_light_or_exposure_is_no_cut(demo: list[Pixels]) -> None:
    for moment in (0, 60, 200, 300):
        picture = demo[moment]
        for gain, offset in ((0.5, 0.0), (0.7, 0.0), (1.2, 0.0), (1.0, 40.0), (0.6, 20.0)):
            assert cuts([picture, relit(picture, gain, offset), picture]) == []


def test_frames_after_a_gap_are_not_compared(demo: list[Pixels]) -> None:
    assert cuts([demo[0], elsewhere(demo[0])], period_s=0.5) == []


def test_noise_in_a_flat_image_is_no_cut() -> None:
    rng = np.random.default_rng(1)
    noisy = [rng.integers(0, 60, (480, 640, 3), np.uint8) for _ in range(5)]
    assert cuts(noisy) == []
