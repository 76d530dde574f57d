from __future__ import annotations

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.detection.thumbnail import WIDTH_PX, make_thumbnail


@pytest.mark.parametrize("size_px", [(480, 640), (720, 1280), (1080, 1920), (640, 480), (90, 200)])
def test_thumbnail_keeps_aspect_ratio_and_grey_levels(size_px: tuple[int, int]) -> None:
    height, width = size_px
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2] = (200, 200, 200)
    small = make_thumbnail(Frame(picture, 0.0, 0))
    assert small.shape == (round(WIDTH_PX * height / width), WIDTH_PX)
    assert small.dtype == np.uint8
    assert (small[: small.shape[0] // 2 - 1] == 200).all()
    assert (small[small.shape[0] // 2 + 1 :] == 0).all()


def test_luma_plane_of_the_camera_is_used() -> None:
    plane = np.full((240, 320), 77, np.uint8)
    small = make_thumbnail(Frame(np.zeros((480, 640, 3), np.uint8), 0.0, 0, plane))
    assert small.shape == (60, WIDTH_PX)
    assert (small == 77).all()


def test_noise_is_reduced_to_a_third() -> None:
    noise = np.random.default_rng(1).normal(128.0, 10.0, (480, 640, 1)).repeat(3, axis=2)
    small = make_thumbnail(Frame(noise.clip(0, 255).astype(np.uint8), 0.0, 0))
    assert 2.5 < small.std() < 4.5
