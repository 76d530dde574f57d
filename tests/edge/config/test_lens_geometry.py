from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.lens_geometry import (
    CASCADE,
    FACE_M,
    MAX_PX,
    NETWORK,
    DetectorNeeds,
    face_width_fraction,
    max_distance_m,
    search_width_px,
)
from edge.config.settings import DetectorSettings

fields_of_view_deg = st.floats(10.0, 170.0)


def test_width_of_a_face_at_90_degrees() -> None:
    assert face_width_fraction(FACE_M / 2.0, 90.0) == pytest.approx(1.0)
    assert face_width_fraction(FACE_M * 5.0, 90.0) == pytest.approx(0.1)


def test_default_settings_find_faces_at_2_m() -> None:
    settings = DetectorSettings()
    assert face_width_fraction(2.05, 62.0) == pytest.approx(settings.min_face, abs=0.001)
    assert search_width_px(settings.min_face, NETWORK) == settings.width_px
    assert search_width_px(0.07, CASCADE) == pytest.approx(320, abs=10)


@pytest.mark.parametrize(("needs", "width_px"), [(CASCADE, 160), (NETWORK, 320)])
def test_near_faces_need_the_least_width(needs: DetectorNeeds, width_px: int) -> None:
    assert search_width_px(0.5, needs) == width_px


@given(st.floats(0.1, 50.0), fields_of_view_deg, st.sampled_from([CASCADE, NETWORK]))
def test_search_width_shows_the_face_large_enough(
    distance_m: float, view_deg: float, needs: DetectorNeeds
) -> None:
    fraction = face_width_fraction(distance_m, view_deg)
    assert 0.0 < fraction <= 1.0
    assert fraction * search_width_px(fraction, needs) >= needs.face_px - 1e-6
    assert face_width_fraction(distance_m / 2.0, view_deg) >= fraction


@given(fields_of_view_deg, st.sampled_from([CASCADE, NETWORK]))
def test_greatest_distance_needs_at_most_the_greatest_width(
    view_deg: float, needs: DetectorNeeds
) -> None:
    max_m = max_distance_m(view_deg, needs)
    if max_m:
        assert search_width_px(face_width_fraction(max_m, view_deg), needs) <= MAX_PX
    beyond = face_width_fraction(max_m + 0.1, view_deg)
    assert search_width_px(beyond, needs) > MAX_PX or math.isclose(beyond, 1.0)
