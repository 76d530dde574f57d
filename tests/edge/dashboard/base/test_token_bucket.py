"""Rate limits that allow a burst, with a separate limit for each key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.base.token_bucket import TokenBuckets


def test_burst_is_allowed_and_then_the_rate() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(3, 0.5)
    assert [buckets.consume("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert not buckets.consume("a", 11.0)
    assert buckets.consume("a", 12.0)
    assert not buckets.consume("a", 12.0)


def test_keys_are_independent() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(1, 0.5)
    assert buckets.consume("a", 0.0)
    assert buckets.consume("b", 0.0)
    assert not buckets.consume("a", 0.0)


def test_bucket_never_holds_more_than_the_burst() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(2, 1.0)
    buckets.consume("a", 0.0)
    assert [buckets.consume("a", 1000.0) for _ in range(3)] == [True, True, False]


def test_time_that_goes_back_adds_nothing() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(1, 1.0)
    assert buckets.consume("a", 10.0)
    assert not buckets.consume("a", 5.0)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), max_size=60))
def test_removing_full_buckets_changes_no_decision(steps: list[tuple[str, int]]) -> None:
    pruned: TokenBuckets[str] = TokenBuckets(3, 0.25)
    unpruned: TokenBuckets[str] = TokenBuckets(3, 0.25)
    now_s = 0.0
    for key, passed in steps:
        now_s += passed
        pruned.remove_full(now_s)
        assert pruned.consume(key, now_s) == unpruned.consume(key, now_s)


def test_full_buckets_free_their_memory() -> None:
    buckets: TokenBuckets[int] = TokenBuckets(2, 1.0)
    for key in range(100):
        buckets.consume(key, float(key))
    buckets.remove_full(99.5)
    assert set(buckets._tokens) == {99}
