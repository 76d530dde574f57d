from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.events.episode_id import CROCKFORD, new_episode_id

RANDOM_BITS = st.integers(0, (1 << 80) - 1)
MILLISECONDS = st.integers(0, (1 << 48) - 1)


@given(MILLISECONDS, RANDOM_BITS, RANDOM_BITS)
def test_identifiers_sort_by_time(time_ms: int, first_bits: int, second_bits: int) -> None:
    first = new_episode_id("d", lambda: time_ms / 1000, lambda count: first_bits)
    second = new_episode_id("d", lambda: (time_ms + 2) / 1000, lambda count: second_bits)
    assert first < second


def test_identifiers_differ() -> None:
    assert new_episode_id("d") != new_episode_id("d")


@given(MILLISECONDS, RANDOM_BITS)
def test_identifier_is_device_and_ulid(time_ms: int, bits: int) -> None:
    identifier = new_episode_id("front-door", lambda: time_ms / 1000, lambda count: bits)
    device, _, ulid = identifier.rpartition("-")
    assert device == "front-door"
    assert len(ulid) == 26
    assert set(ulid) <= set(CROCKFORD)


def test_layout_follows_the_ulid_specification() -> None:
    """The ULID of the first millisecond of the epoch, with all random bits zero."""
    assert new_episode_id("d", lambda: 0.001, lambda bits: 0) == "d-00000000010000000000000000"
