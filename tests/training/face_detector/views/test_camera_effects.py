"""Camera effects: the picture keeps its shape, and each effect does what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from edge.common.arrays import Pixels
from edge.detection.boxes import corners_of
from tests.support.training.datasets import pattern
from training.face_detector.views.camera_effects import (
    add_back_light,
    blur_by_motion,
    change_appearance,
    darken,
    reduce_resolution,
)

FACES = corners_of([(30, 30, 30, 40)])


def _luma(level: int | None = None) -> Pixels:
    return pattern(100)[:, :, 0].copy() if level is None else np.full((100, 100), level, np.uint8)


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)


def _sharpness(pixels: Pixels) -> float:
    return float(np.abs(np.diff(pixels.astype(np.float32), axis=1)).mean())


@pytest.mark.parametrize("picture", [pattern(100), pattern(100)[:, :, 0].copy()])
def test_shape_is_kept_and_pictures_vary(picture: Pixels) -> None:
    changed = [change_appearance(picture, FACES, np.random.default_rng(seed)) for seed in range(40)]
    assert {each.shape for each in changed} == {picture.shape}
    assert {each.dtype for each in changed} == {np.dtype(np.uint8)}
    assert len({each.tobytes() for each in changed}) > 30


def test_same_generator_gives_same_picture() -> None:
    first, second = (change_appearance(_luma(), FACES, _rng()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_back_light_darkens_the_face_only() -> None:
    lit = add_back_light(_luma(100), FACES, _rng())
    assert lit[50, 45] < 70
    assert lit[95, 95] > 110


def test_darkening_leaves_little_light() -> None:
    assert darken(_luma(160), _rng()).mean() < 80


@pytest.mark.parametrize("effect", [blur_by_motion, reduce_resolution])
def test_blur_and_low_resolution_remove_detail(effect: object) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    assert callable(effect)
    assert _sharpness(effect(noise, _rng())) < 0.8 * _sharpness(noise)
