from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.reopen_backoff import JITTER, MAX_DELAY_S, ReopenBackoff


def delays_s(backoff: ReopenBackoff, count: int) -> list[float]:
    found = []
    for _ in range(count):
        backoff.schedule(0.0, lived_s=0.0)
        found.append(backoff.next_attempt_s)
    return found


def test_delays_double_up_to_half_a_minute() -> None:
    found = delays_s(ReopenBackoff(100.0, random=lambda: 0.0), 9)
    assert found == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@given(chances=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=100))
def test_chance_only_adds_and_never_beyond_the_longest(chances: list[float]) -> None:
    plain = delays_s(ReopenBackoff(100.0, random=lambda: 0.0), len(chances))
    drawn = delays_s(ReopenBackoff(100.0, random=iter(chances).__next__), len(chances))
    for without, found in zip(plain, drawn, strict=True):
        assert without <= found <= min(MAX_DELAY_S, without * (1.0 + JITTER))


def test_one_that_lives_only_for_a_moment_each_time_is_tried_less_and_less() -> None:
    backoff = ReopenBackoff(100.0, random=lambda: 0.0)
    for lived_s, delay_s in ((0.0, 0.5), (0.1, 1.0), (0.9, 2.0), (2.1, 0.5), (60.0, 0.5)):
        backoff.schedule(10.0, lived_s)
        assert backoff.next_attempt_s == pytest.approx(10.0 + delay_s)


def test_patience_ends_after_its_time_unless_the_source_was_restored() -> None:
    backoff = ReopenBackoff(100.0, random=lambda: 0.0)
    assert not backoff.is_exhausted(1e9)
    backoff.mark_failing(10.0)
    backoff.mark_failing(50.0)
    assert not backoff.is_exhausted(109.9)
    assert backoff.is_exhausted(110.0)
    backoff.mark_restored()
    assert not backoff.is_exhausted(1e9)
    backoff.mark_failing(200.0)
    assert not backoff.is_exhausted(250.0)
