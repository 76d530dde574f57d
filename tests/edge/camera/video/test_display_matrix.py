from __future__ import annotations

import numpy as np
import pytest

from edge.camera.orientation import UNTURNED
from edge.camera.video.display_matrix import orientation_of
from edge.common.arrays import Pixels

ONE = 1 << 16
UPRIGHT_IMAGE: Pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()


@pytest.mark.parametrize(
    ("mark", "stored"),
    [
        (matrix(ONE, 0, 0, ONE), UPRIGHT_IMAGE),
        (matrix(-ONE, 0, 0, -ONE), np.rot90(UPRIGHT_IMAGE, 2)),
        (matrix(0, ONE, -ONE, 0), np.rot90(UPRIGHT_IMAGE)),  # shown turned clockwise
        (matrix(0, -ONE, ONE, 0), np.rot90(UPRIGHT_IMAGE, -1)),
        (matrix(-ONE, 0, 0, ONE), np.fliplr(UPRIGHT_IMAGE)),
        (matrix(ONE, 0, 0, -ONE), np.flipud(UPRIGHT_IMAGE)),
        (matrix(0, ONE, ONE, 0), UPRIGHT_IMAGE.swapaxes(0, 1)),
        (matrix(0, -ONE, -ONE, 0), np.rot90(UPRIGHT_IMAGE, 2).swapaxes(0, 1)),
        (matrix(ONE, 3000, -3000, ONE), UPRIGHT_IMAGE),  # turned by a few degrees
    ],
)
def test_marked_picture_is_turned_upright(mark: bytes, stored: Pixels) -> None:
    upright = orientation_of(mark).apply(np.ascontiguousarray(stored))
    assert np.array_equal(upright, UPRIGHT_IMAGE)
    assert upright.flags.c_contiguous


@pytest.mark.parametrize("mark", [b"", b"\0" * 36, b"\xff" * 35])
def test_mark_without_a_direction_has_no_effect(mark: bytes) -> None:
    assert orientation_of(mark) == UNTURNED


def test_extreme_numbers_are_accepted() -> None:
    lowest = -(1 << 31)
    mark = matrix(lowest, lowest, lowest, lowest)
    assert np.array_equal(orientation_of(mark).apply(UPRIGHT_IMAGE), np.rot90(UPRIGHT_IMAGE, 2))
