"""Skin tones and grey pictures."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge.common.arrays import Pixels
from training.augmentation.colour import to_grey
from training.evaluation.skin_tone import SKIN_TONES, is_grey, looks_dark, skin_angle


def face(red: int, green: int, blue: int) -> Pixels:
    return np.full((96, 96, 3), (red, green, blue), np.uint8)


@pytest.mark.parametrize(
    ("crop", "tone"), [(face(235, 200, 180), 0), (face(190, 140, 110), 1), (face(90, 60, 45), 2)]
)
def test_lighter_skin_has_a_larger_angle(crop: Pixels, tone: int) -> None:
    _, low, high = SKIN_TONES[tone]
    assert low <= skin_angle(crop) < high


def test_sunglasses_and_shade_do_not_count_as_dark_skin() -> None:
    crop = face(235, 200, 180)
    crop[30:52] = (25, 24, 28)
    assert skin_angle(crop) == skin_angle(face(235, 200, 180))


@pytest.mark.parametrize(
    "covered",
    [face(40, 40, 45), face(30, 90, 80), face(120, 120, 120)],
    ids=["hair", "a cap", "a grey picture"],
)
def test_tone_is_unknown_without_skin(covered: Pixels) -> None:
    covered[:, 60:] = (90, 60, 45)
    assert math.isnan(skin_angle(covered))
    assert not looks_dark(covered)


def test_compressed_grey_picture_is_grey() -> None:
    rng = np.random.default_rng(1)
    picture = cv2.resize(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8), (96, 96))
    _, code = cv2.imencode(".jpg", to_grey(np.asarray(picture, np.uint8)))
    assert is_grey(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8))
    assert not is_grey(np.asarray(picture, np.uint8))
    assert not is_grey(face(120, 110, 105))
