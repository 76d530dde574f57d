"""The simulated boxes of the detector, and the overlap of boxes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.arrays import Box
from training.data.detector_simulation import (
    box_of_annotation,
    box_of_framed_picture,
    intersection_over_union,
)

boxes = st.tuples(st.floats(-50, 150), st.floats(-50, 150), st.floats(5, 120), st.floats(5, 120))


def test_box_of_annotation() -> None:
    # s = sqrt(40 * 90) = 60; side 69; centre (100 - 0.6, 145 - 3)
    x, y, w, h = box_of_annotation((80.0, 100.0, 40.0, 90.0))
    assert (w, h) == pytest.approx((69.0, 69.0))
    assert (x + w / 2, y + h / 2) == pytest.approx((99.4, 142.0))


def test_box_of_framed_picture() -> None:
    assert box_of_framed_picture(100, 200) == pytest.approx((2.75, 5.5, 94.5, 189.0))


@given(boxes, boxes)
def test_iou_is_a_symmetric_share(a: Box, b: Box) -> None:
    assert 0 <= intersection_over_union(a, b) <= 1 + 1e-9
    assert intersection_over_union(a, b) == pytest.approx(intersection_over_union(b, a))
    assert intersection_over_union(a, a) == pytest.approx(1)
