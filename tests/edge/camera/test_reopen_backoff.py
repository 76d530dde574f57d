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


def test_delays_double_up_to_the_maximum() -> None:
    found = delays_s(ReopenBackoff(100.0, random=lambda: 0.0), 9)
    assert found == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@given(random_numbers=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=100))
def test_jitter_lengthens_delays_up_to_the_maximum(random_numbers: list[float]) -> None:
    plain = delays_s(ReopenBackoff(100.0, random=lambda: 0.0), len(random_numbers))
    drawn = delays_s(
        ReopenBackoff(100.0, random=iter(random_numbers).__next__), len(random_numbers)
    )
    for without, found in zip(plain, drawn, strict=True):
        assert without <= found <= min(MAX_DELAY_S, without * (1.0 + JITTER))


def test_delays_restart_after_an_opening_longer_than_the_delay() -> None:
    backoff = ReopenBackoff(100.0, random=lambda: 0.0)
    for lived_s, delay_s in ((0.0, 0.5), (0.1, 1.0), (0.9, 2.0), (2.1, 0.5), (60.0, 0.5)):
        backoff.schedule(10.0, lived_s)
        assert backoff.next_attempt_s == pytest.approx(10.0 + delay_s)


def test_backoff_is_exhausted_unless_the_source_is_restored() -> None:
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
