from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.common.backoff import MAX_DOUBLINGS, Backoff, delay_s


def test_delays_double_up_to_the_maximum() -> None:
    backoff = Backoff(0.5, 30.0)
    assert [backoff.next_delay_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_reset_starts_again_at_the_first_delay() -> None:
    backoff = Backoff(0.5, 30.0)
    backoff.next_delay_s()
    backoff.next_delay_s()
    backoff.reset()
    assert backoff.next_delay_s() == 0.5


def test_skip_to_max_makes_every_delay_the_longest() -> None:
    backoff = Backoff(0.5, 30.0)
    backoff.skip_to_max()
    assert [backoff.next_delay_s() for _ in range(2)] == [30.0, 30.0]


@given(chances=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=100))
def test_jitter_lengthens_every_delay(chances: list[float]) -> None:
    drawn = Backoff(0.5, 30.0, 0.5, iter(chances).__next__)
    for failures in range(len(chances)):
        plain_s = delay_s(0.5, 30.0, failures)
        assert plain_s <= drawn.next_delay_s() <= plain_s * 1.5


def test_thousands_of_failures_do_not_overflow() -> None:
    assert delay_s(1.0, 300.0, 10**9) == 300.0
    assert delay_s(1.0, 1e300, 10**9) == 2.0**MAX_DOUBLINGS
