from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.lens_geometry import (
    FACE_M,
    FACE_PX,
    MAX_PX,
    farthest,
    smallest_face,
    working_width,
)

views = st.floats(10.0, 170.0)


def test_a_face_that_fills_a_right_angle_at_half_its_width() -> None:
    assert smallest_face(FACE_M / 2.0, 90.0) == pytest.approx(1.0)
    assert smallest_face(FACE_M * 5.0, 90.0) == pytest.approx(0.1)


def test_the_defaults_are_those_of_a_door_a_metre_and_a_half_away() -> None:
    assert smallest_face(1.45, 62.0) == pytest.approx(0.07, abs=0.002)
    assert working_width(0.07) == pytest.approx(320, abs=10)


@given(st.floats(0.1, 50.0), views)
def test_at_the_working_width_the_cascade_gets_what_it_needs(
    distance_m: float, view: float
) -> None:
    share = smallest_face(distance_m, view)
    assert 0.0 < share <= 1.0
    assert share * working_width(share) >= FACE_PX - 1e-6
    assert smallest_face(distance_m / 2.0, view) >= share


@given(views)
def test_as_far_as_is_allowed_the_widest_picture_is_enough(view: float) -> None:
    max_m = farthest(view)
    if max_m:
        assert working_width(smallest_face(max_m, view)) <= MAX_PX
    assert working_width(smallest_face(max_m + 0.1, view)) > MAX_PX or math.isclose(
        smallest_face(max_m + 0.1, view), 1.0
    )
