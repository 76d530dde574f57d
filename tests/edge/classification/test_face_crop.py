from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.face_crop import crop_face, framed_square, resize_crop

COORDINATES = st.floats(-200, 400)
LENGTHS = st.floats(2, 300)


@given(COORDINATES, COORDINATES, LENGTHS, LENGTHS, st.floats(0, 1))
def test_square_covers_the_box_around_its_centre(
    x: float, y: float, w: float, h: float, margin: float
) -> None:
    fx, fy, side, other = framed_square((x, y, w, h), margin)
    assert side == other
    assert side == pytest.approx(max(w, h) * (1 + 2 * margin))
    assert fx + side / 2 == pytest.approx(x + w / 2, abs=1e-6)
    assert fy + side / 2 == pytest.approx(y + h / 2, abs=1e-6)


@given(st.floats(-30, 90), st.floats(-30, 70), st.floats(5, 80), st.floats(0, 0.5))
def test_crop_has_the_requested_size(x: float, y: float, w: float, margin: float) -> None:
    image = np.zeros((80, 100, 3), np.uint8)
    if x + w <= 1 or y + w <= 1:
        return
    assert crop_face(image, (x, y, w, w), margin, (96, 64)).shape == (96, 64, 3)


def test_crop_contains_the_box_and_its_margin() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 30:50] = (10, 200, 30)
    crop = crop_face(image, (30, 40, 20, 20), 0.0, (20, 20))
    assert (crop == (10, 200, 30)).all()
    with_margin = crop_face(image, (30, 40, 20, 20), 0.5, (40, 40))
    assert (with_margin[10:30, 10:30] == (10, 200, 30)).all()
    assert (with_margin[:9] == 0).all()


def test_edge_is_repeated_beyond_the_border() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, 0] = 255
    crop = crop_face(image, (-10, 10, 20, 20), 0.0, (20, 20))
    assert (crop[:, :10] == 255).all()
    assert (crop[:, 12:] == 0).all()


@pytest.mark.parametrize("corner", [(60, 60), (60, 20), (-12, 20), (20, -12), (-40, -40)])
def test_box_outside_the_image_raises(corner: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="outside"):
        crop_face(np.zeros((50, 50, 3), np.uint8), (*corner, 10, 10), 0.0, (96, 96))


def test_shrinking_averages_pixels() -> None:
    checkers = np.indices((96, 96)).sum(0) % 2 * 255
    image = np.repeat(checkers[:, :, None], 3, 2).astype(np.uint8)
    assert abs(int(resize_crop(image, (48, 48)).mean()) - 127) <= 1
    assert resize_crop(image, (48, 48)).std() < 2
