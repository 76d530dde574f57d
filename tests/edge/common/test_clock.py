from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.clock import (
    Moment,
    UtcClock,
    age_s,
    clock_is_synchronised,
    correction_s,
    iso_utc,
    kernel_clock_state,
    monotonic_offset_s,
    now,
)

seconds = st.floats(0, 1e7)


@given(boot_s=seconds, passed_s=seconds, jump_s=st.floats(-1e9, 1e9), synced=st.booleans())
def test_within_one_boot_age_is_exact_despite_clock_jumps(
    boot_s: float, passed_s: float, jump_s: float, synced: bool
) -> None:
    earlier = Moment(1e9 + boot_s, synced, "boot", boot_s)
    later = Moment(1e9 + boot_s + passed_s + jump_s, True, "boot", boot_s + passed_s)
    assert age_s(earlier, later) == pytest.approx(passed_s, abs=1e-6)
    expected_s = 0.0 if synced else pytest.approx(jump_s, abs=1e-3)
    assert correction_s(earlier, later) == expected_s


def test_across_boots_both_clocks_must_be_synchronised() -> None:
    earlier = Moment(1000.0, True, "one", 10.0)
    later = Moment(1500.0, True, "two", 3.0)
    assert age_s(earlier, later) == 500.0
    assert correction_s(earlier, later) == 0.0
    assert age_s(replace(earlier, synced=False), later) is None
    assert age_s(earlier, replace(later, synced=False)) is None
    assert correction_s(replace(earlier, synced=False), later) is None


def test_unknown_boots_are_never_the_same() -> None:
    earlier = Moment(1000.0, False, "", 10.0)
    assert age_s(earlier, Moment(1500.0, True, "", 20.0)) is None


def test_age_is_never_negative() -> None:
    assert age_s(Moment(1000.0, True, "one", 1.0), Moment(900.0, True, "two", 1.0)) == 0.0


def test_moments_of_this_machine_have_an_age() -> None:
    first, second = now(), now()
    age = age_s(first, second)
    assert age is not None
    assert 0.0 <= age < math.inf
    assert first.boot == second.boot != ""


@pytest.mark.parametrize(
    ("state", "synchronised"), [(0, True), (1, True), (4, True), (5, False), (-1, False)]
)
def test_clock_is_synchronised_unless_the_kernel_reports_an_error(
    state: int, synchronised: bool
) -> None:
    assert clock_is_synchronised(lambda: state) is synchronised


def test_kernel_reports_a_clock_state() -> None:
    assert 0 <= kernel_clock_state() <= 5


def test_monotonic_offset_is_the_difference_of_the_clocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: 400.0)
    assert monotonic_offset_s() == 600.0


def test_times_are_utc_with_milliseconds() -> None:
    assert iso_utc(1772352903.218) == "2026-03-01T08:15:03.218Z"
    assert iso_utc(1772352903.0) == "2026-03-01T08:15:03.000Z"
    assert datetime.fromisoformat(iso_utc(1772352903.0)).timestamp() == 1772352903.0


def test_clock_offset_is_read_at_each_use() -> None:
    offset_s = [0.0]
    clock = UtcClock(lambda: offset_s[0])
    assert clock.at(0.0).startswith("1970-01-01")
    offset_s[0] = 1772352903.0
    assert clock.at(0.0).startswith("2026-03-01")
