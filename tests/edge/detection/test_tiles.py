"""The parts in which a large picture is searched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.detection.tiles import OVERLAP, Tile, tiles

INPUT = (320, 240)
sides = st.integers(1, 1500)


@pytest.mark.parametrize("size", [(320, 240), (320, 180), (300, 240), (10, 10), (320, 256)])
def test_picture_that_fits_is_searched_once(size: tuple[int, int]) -> None:
    (tile,) = tiles(*size, *INPUT)
    assert (tile.left, tile.top) == (0, 0)
    assert tile.max_face_px == math.inf
    assert tile.width <= INPUT[0]
    assert tile.height <= INPUT[1]


@given(sides, sides)
def test_parts_of_every_scale_cover_the_picture(width: int, height: int) -> None:
    found = list(tiles(width, height, *INPUT))
    scales = sorted({tile.scale for tile in found})
    assert scales[-1] >= 1 / 1.3 or scales[-1] == 1.0
    for scale in scales:
        covered = np.zeros((max(1, round(height * scale)), max(1, round(width * scale))), bool)
        for tile in found:
            if tile.scale == scale:
                assert tile.width <= INPUT[0]
                assert tile.height <= INPUT[1]
                covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = 1
        assert covered.all()


def _holds(tile: Tile, left: float, top: float, side: float) -> bool:
    x, y, s = (v * tile.scale - o for v, o in ((left, tile.left), (top, tile.top), (side, 0)))
    return x >= 0 and y >= 0 and x + s <= tile.width and y + s <= tile.height


@given(st.floats(0, 1), st.floats(0, 1), st.floats(8, 500))
def test_every_face_is_whole_in_a_part_that_may_report_it(x: float, y: float, side: float) -> None:
    width, height = 1024, 768
    left, top = x * (width - side), y * (height - side)
    assert any(
        _holds(tile, left, top, side) and side * tile.scale <= tile.max_face_px + 2
        for tile in tiles(width, height, *INPUT)
    )
    assert OVERLAP * min(INPUT) >= 70
