from __future__ import annotations

from fractions import Fraction

import pytest

from edge.camera.video.pixel_shape import square_size_px
from edge.camera.video.video_decoder import MAX_PIXELS


@pytest.mark.parametrize(
    ("shape", "size_px"),
    [
        (None, (720, 576)),
        (Fraction(0), (720, 576)),
        (Fraction(1), (720, 576)),
        (Fraction(1000, 1001), (720, 576)),
        (Fraction(16, 15), (768, 576)),
        (Fraction(1, 2), (720, 1152)),
        (Fraction(5), (720, 576)),
    ],
)
def test_one_side_becomes_longer(shape: Fraction | None, size_px: tuple[int, int]) -> None:
    assert square_size_px(720, 576, shape, MAX_PIXELS) == size_px


@pytest.mark.parametrize("shape", [Fraction(4), Fraction(1, 4)])
def test_picture_does_not_exceed_the_largest_that_is_decoded(shape: Fraction) -> None:
    assert square_size_px(7680, 4320, shape, MAX_PIXELS) == (7680, 4320)
