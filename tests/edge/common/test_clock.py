from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.clock import (
    Moment,
    age_s,
    clock_is_synchronised,
    correction_s,
    kernel_clock_state,
    now,
)

seconds = st.floats(0, 1e7)


@given(then_s=seconds, later_s=seconds, jump_s=st.floats(-1e9, 1e9), synced=st.booleans())
def test_within_a_start_an_age_is_right_whatever_the_clock_does(
    then_s: float, later_s: float, jump_s: float, synced: bool
) -> None:
    then = Moment(1e9 + then_s, synced, "boot", then_s)
    at = Moment(1e9 + then_s + later_s + jump_s, True, "boot", then_s + later_s)
    assert age_s(then, at) == pytest.approx(later_s, abs=1e-6)
    shift_s = correction_s(then, at)
    assert shift_s == (0.0 if synced else pytest.approx(jump_s, abs=1e-3))


def test_across_a_start_both_clocks_must_have_been_right() -> None:
    then = Moment(1000.0, True, "one", 10.0)
    at = Moment(1500.0, True, "two", 3.0)
    assert age_s(then, at) == 500.0
    assert correction_s(then, at) == 0.0
    for a, b in ((replace(then, synced=False), at), (then, replace(at, synced=False))):
        assert age_s(a, b) is None
    assert correction_s(replace(then, synced=False), at) is None
    assert age_s(replace(then, boot="", synced=False), replace(at, boot="")) is None


def test_a_clock_set_back_makes_nothing_younger_than_new() -> None:
    assert age_s(Moment(1000.0, True, "one", 1.0), Moment(900.0, True, "two", 1.0)) == 0.0


def test_this_machine() -> None:
    first, second = now(), now()
    age = age_s(first, second)
    assert age is not None
    assert 0.0 <= age < math.inf
    assert first.boot == second.boot != ""


@pytest.mark.parametrize(
    ("state", "synchronised"), [(0, True), (1, True), (4, True), (5, False), (-1, False)]
)
def test_the_clock_is_right_unless_the_kernel_says_error(state: int, synchronised: bool) -> None:
    assert clock_is_synchronised(lambda: state) is synchronised


def test_the_kernel_is_really_asked() -> None:
    assert 0 <= kernel_clock_state() <= 5
