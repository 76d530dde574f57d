from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.arrays import Box
from edge.detection.motion_detector import MotionMask
from edge.detection.motion_regions import MARGIN_PX, body_regions, exclude, motion_regions

SHAPE = (60, 80)

RECTANGLES = st.lists(
    st.tuples(st.integers(0, 79), st.integers(0, 59), st.integers(1, 40), st.integers(1, 40)),
    max_size=6,
)


def moving(*rectangles: tuple[int, int, int, int]) -> MotionMask:
    """A mask in which `rectangles` (x, y, width, height) have changed."""
    mask = np.zeros(SHAPE, bool)
    for x, y, w, h in rectangles:
        mask[y : y + h, x : x + w] = True
    return mask


def test_no_motion_gives_no_region() -> None:
    assert motion_regions(moving()) == []


def test_regions_leave_room_for_a_face() -> None:
    left, right = sorted(motion_regions(moving((10, 20, 6, 30), (60, 30, 6, 20))))
    for (x, y, w, h), column, row, side, height in (
        (left, 10, 20, 6, 30),
        (right, 60, 30, 6, 20),
    ):
        assert x * 80 <= column - MARGIN_PX
        assert (x + w) * 80 >= column + side + MARGIN_PX
        assert y * 60 <= row - MARGIN_PX - 0.25 * height
        assert (y + h) * 60 >= row + height + MARGIN_PX - 1e-9


def test_neighbouring_parts_share_a_region() -> None:
    assert len(motion_regions(moving((10, 20, 6, 30), (20, 20, 6, 30)))) == 1


@given(RECTANGLES)
def test_regions_cover_all_motion_without_overlap(
    rectangles: list[tuple[int, int, int, int]],
) -> None:
    mask = moving(*rectangles)
    regions = motion_regions(mask)
    assert not exclude(mask, regions).any()
    assert bool(regions) == bool(mask.any())
    for x, y, w, h in regions:
        assert x >= 0.0
        assert y >= 0.0
        assert x + w <= 1.0 + 1e-9
        assert y + h <= 1.0 + 1e-9
    for index, (x, y, w, h) in enumerate(regions):
        for ox, oy, ow, oh in regions[index + 1 :]:
            common_width = min(x + w, ox + ow) - max(x, ox)
            common_height = min(y + h, oy + oh) - max(y, oy)
            assert common_width <= 1e-9 or common_height <= 1e-9


def test_excluded_regions_have_no_motion() -> None:
    mask = moving((10, 20, 6, 30), (60, 30, 6, 20))
    rest = exclude(mask, [(0.0, 0.0, 0.5, 1.0)])
    assert rest.sum() == 6 * 20
    assert mask.sum() == 6 * 30 + 6 * 20  # the argument is unchanged
    assert not exclude(mask, [(-1.0, -1.0, 3.0, 3.0)]).any()


@given(
    st.tuples(st.floats(-50, 400), st.floats(-50, 300), st.floats(1, 200), st.floats(1, 200)),
)
def test_body_contains_its_face_and_reaches_the_floor(face: Box) -> None:
    ((x, y, w, h),) = body_regions([face], (240, 320))
    assert x < face[0] / 320
    assert x + w > (face[0] + face[2]) / 320
    assert y < face[1] / 240
    assert y + h == pytest.approx(1.0)
