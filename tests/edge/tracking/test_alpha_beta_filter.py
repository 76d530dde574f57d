from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.arrays import Box
from edge.tracking.alpha_beta_filter import MAX_EXTRAPOLATION_S, AlphaBetaFilter, box_centre

PERIOD_S = 0.1


def box(cx: float, cy: float = 100.0, side: float = 60.0) -> Box:
    return cx - side / 2, cy - side / 2, side, side


def walking(speed_px: float, steps: int = 10) -> AlphaBetaFilter:
    """A filter that has seen a face move from x = 100 at a constant speed."""
    motion = AlphaBetaFilter(box(100), 0.0)
    for step in range(1, steps):
        motion.update(box(100 + speed_px * step * PERIOD_S), step * PERIOD_S)
    return motion


def test_single_box_predicts_no_movement() -> None:
    assert AlphaBetaFilter(box(100, 50), 0.0).predict(0.5) == (100, 50)


@given(st.floats(-100, 100))
def test_constant_speed_is_predicted_exactly(speed_px: float) -> None:
    x, y = walking(speed_px).predict(1.2)
    assert x == pytest.approx(100 + speed_px * 1.2, abs=1e-6)
    assert y == pytest.approx(100)


def test_extrapolation_is_limited() -> None:
    motion = walking(60)
    last_s = motion.at_s
    assert motion.predict(last_s + 10) == motion.predict(last_s + MAX_EXTRAPOLATION_S)


def test_jitter_is_averaged_out() -> None:
    chance = random.Random(1)
    motion = AlphaBetaFilter(box(100), 0.0)
    errors, jitters = [], []
    for step in range(1, 200):
        at_s = step * PERIOD_S
        jitter = chance.gauss(0.0, 3.0)
        motion.update(box(100 + jitter), at_s)
        jitters.append(jitter)
        errors.append(motion.predict(at_s)[0] - 100)
    assert math.hypot(*errors) < 0.8 * math.hypot(*jitters)


def test_jump_shortens_the_memory() -> None:
    """A person who stands sets off at 2 face widths a second."""
    motion = walking(0, steps=20)
    start_s = motion.at_s
    for step in range(1, 7):
        motion.update(box(100 + 120 * step * PERIOD_S), start_s + step * PERIOD_S)
    at_s = start_s + 0.7
    assert motion.distance(box(100 + 120 * 0.7), at_s) < 0.1


def test_coasting_keeps_the_speed() -> None:
    motion = walking(60)
    motion.coast(1.5)
    assert motion.at_s == 1.5
    assert motion.predict(1.5)[0] == pytest.approx(100 + 60 * 1.5)
    assert motion.predict(2.0)[0] == pytest.approx(100 + 60 * 2.0)


def test_distance_and_growth_are_relative_to_the_width() -> None:
    motion = AlphaBetaFilter(box(100, side=50), 0.0)
    assert motion.distance(box(125, side=50), 0.1) == pytest.approx(0.5)
    assert motion.log_growth(box(100, side=100)) == pytest.approx(math.log(2))
    assert motion.log_growth(box(100, side=50)) == pytest.approx(0.0)


def test_size_follows_slowly() -> None:
    motion = walking(0)
    motion.update(box(100, side=120), 1.0)
    assert 60 < motion.side_px < 80
    for step in range(20):
        motion.update(box(100, side=120), 1.1 + step * PERIOD_S)
    assert motion.side_px == pytest.approx(120, rel=0.01)


def test_centre_of_a_box() -> None:
    assert box_centre((10.0, 20.0, 30.0, 40.0)) == (25.0, 40.0)
