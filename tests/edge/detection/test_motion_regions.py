from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.arrays import Box
from edge.detection.motion_detector import Mask
from edge.detection.motion_regions import MARGIN, bodies, regions, without

SHAPE = (60, 80)

spots = st.lists(
    st.tuples(st.integers(0, 79), st.integers(0, 59), st.integers(1, 40), st.integers(1, 40)),
    max_size=6,
)


def moving(*spots: tuple[int, int, int, int]) -> Mask:
    mask = np.zeros(SHAPE, bool)
    for x, y, w, h in spots:
        mask[y : y + h, x : x + w] = True
    return mask


def test_where_nothing_moves_there_is_no_region() -> None:
    assert regions(moving()) == []


def test_each_part_that_moves_has_its_region_with_room_for_a_face() -> None:
    left, right = sorted(regions(moving((10, 20, 6, 30), (60, 30, 6, 20))))
    for (x, y, w, h), column, row, side, height in (
        (left, 10, 20, 6, 30),
        (right, 60, 30, 6, 20),
    ):
        assert x * 80 <= column - MARGIN
        assert (x + w) * 80 >= column + side + MARGIN
        assert y * 60 <= row - MARGIN - 0.25 * height
        assert (y + h) * 60 >= row + height + MARGIN - 1e-9


def test_parts_near_each_other_are_one() -> None:
    assert len(regions(moving((10, 20, 6, 30), (20, 20, 6, 30)))) == 1


@given(spots)
def test_regions_hold_all_that_moves_and_nothing_twice(
    spots: list[tuple[int, int, int, int]],
) -> None:
    mask = moving(*spots)
    found = regions(mask)
    assert not without(mask, found).any()
    assert bool(found) == bool(mask.any())
    for x, y, w, h in found:
        assert x >= 0.0
        assert y >= 0.0
        assert x + w <= 1.0 + 1e-9
        assert y + h <= 1.0 + 1e-9
    for index, (x, y, w, h) in enumerate(found):
        for ox, oy, ow, oh in found[index + 1 :]:
            wide = min(x + w, ox + ow) - max(x, ox)
            high = min(y + h, oy + oh) - max(y, oy)
            assert wide <= 1e-9 or high <= 1e-9


def test_what_lies_in_a_box_is_left_out() -> None:
    mask = moving((10, 20, 6, 30), (60, 30, 6, 20))
    rest = without(mask, [(0.0, 0.0, 0.5, 1.0)])
    assert rest.sum() == 6 * 20
    assert mask.sum() == 6 * 30 + 6 * 20  # not changed
    assert not without(mask, [(-1.0, -1.0, 3.0, 3.0)]).any()


@given(
    st.tuples(st.floats(-50, 400), st.floats(-50, 300), st.floats(1, 200), st.floats(1, 200)),
)
def test_a_body_holds_its_face_down_to_the_floor(face: Box) -> None:
    ((x, y, w, h),) = bodies([face], (240, 320))
    assert x < face[0] / 320
    assert x + w > (face[0] + face[2]) / 320
    assert y < face[1] / 240
    assert y + h == pytest.approx(1.0)
