from __future__ import annotations

import numpy as np
import pytest

from edge.camera.source import Frame, is_picture
from tests.support.footage.pictures import flat


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        (flat(0), True),
        (flat(0)[:, :, 0], False),
        (flat(0)[:, :, :1], False),
        (np.zeros((4, 4, 4), np.uint8), False),
        (np.zeros((4, 4, 3), np.uint16), False),
        (np.zeros((0, 4, 3), np.uint8), False),
        (None, False),
        ("picture", False),
    ],
)
def test_usable_pictures(value: object, usable: bool) -> None:
    assert is_picture(value) is usable


def test_rgb_is_a_view_in_reverse_channel_order() -> None:
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    frame = Frame(picture, 0.0, 0)
    assert np.shares_memory(frame.image_rgb, picture)
    assert (frame.image_rgb[..., 0] == picture[..., 2]).all()
    assert (frame.image_rgb[..., 2] == picture[..., 0]).all()


def test_size_is_height_and_width() -> None:
    assert Frame(flat(0, height=120, width=160), 0.0, 0).size_px == (120, 160)
