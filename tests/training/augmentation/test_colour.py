"""Colours of other cameras and of darker skin: what changes, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest

from edge.common.arrays import Pixels
from training.augmentation.colour import (
    add_infrared,
    darken_skin,
    draw_infrared,
    draw_skin,
    to_grey,
)

SKIN, BLUE_CLOTH, GREY_CLOTH = (214, 160, 132), (60, 110, 190), (120, 120, 120)


def _flat(colour: tuple[int, int, int]) -> Pixels:
    return np.full((32, 32, 3), colour, np.uint8)


def test_grey_picture_has_three_equal_channels() -> None:
    grey = to_grey(_flat(SKIN))
    assert (grey == grey[..., :1]).all()
    assert 150 < grey.mean() < 190


def test_infrared_light_turns_grey_cloth_pink_and_keeps_its_brightness() -> None:
    shown = add_infrared(_flat(GREY_CLOTH), strength=1.0, gamma=0.5)
    red, green, blue = shown.reshape(-1, 3).mean(axis=0)
    assert red > blue > green
    assert shown.mean() == pytest.approx(120, rel=0.1)


def test_infrared_of_a_black_picture_is_black() -> None:
    assert add_infrared(_flat((0, 0, 0)), 1.0, 0.5).max() == 0


def test_skin_becomes_darker_and_browner_and_cloth_stays() -> None:
    picture = np.concatenate([_flat(SKIN), _flat(BLUE_CLOTH)], axis=1)
    darker = darken_skin(picture, 0.4).astype(float)
    red, _, blue = darker[:, :24].reshape(-1, 3).mean(axis=0)
    assert red < 0.8 * SKIN[0]
    assert blue / red < SKIN[2] / SKIN[0]
    np.testing.assert_allclose(darker[:, 40:], np.float64(picture[:, 40:]), atol=2)


@pytest.mark.parametrize("draw", [draw_infrared, draw_skin])
def test_random_numbers_alone_determine_the_change(draw: object) -> None:
    assert callable(draw)
    noise = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    first, again, other = (draw(noise, np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
