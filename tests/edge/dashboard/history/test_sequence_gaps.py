"""Which numbers are missing, whatever order they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.history.sequence_gaps import MAX_GAPS, MAX_LOST, SequenceGaps


def missing(ledger: SequenceGaps) -> set[int]:
    return {n for first, (last, _) in ledger.gaps.items() for n in range(first, last + 1)}


@given(st.sets(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_what_is_missing_is_what_never_came(numbers: set[int], chance: object) -> None:
    order = sorted(numbers)
    rest = order[1:]
    chance.shuffle(rest)  # type: ignore[attr-defined]
    ledger = SequenceGaps()
    ledger.see_all([order[0], *rest], 5.0)
    assert missing(ledger) == set(range(order[0], order[-1] + 1)) - numbers
    assert ledger.lost == len(missing(ledger))
    assert (ledger.first, ledger.last) == (order[0], order[-1])


def test_what_is_older_than_the_first_is_none_of_our_business() -> None:
    ledger = SequenceGaps()
    ledger.see_all([5, 3, 6], 5.0)
    assert (ledger.lost, ledger.first, ledger.last) == (0, 5, 6)


def test_a_device_that_begins_anew_has_lost_nothing_more() -> None:
    ledger = SequenceGaps()
    ledger.see_all([1, 2, 5, 2, 3, 4, 7], 5.0)
    assert ledger.lost == 4  # 3 and 4 of before, 5 and 6 of now
    assert missing(ledger) == {5, 6}


def test_gaps_without_end_are_counted_and_not_all_kept() -> None:
    ledger = SequenceGaps()
    ledger.see_all(range(1, 4 * MAX_GAPS, 2), 5.0)
    assert len(ledger.gaps) == MAX_GAPS
    assert ledger.lost == 2 * MAX_GAPS - 1


def test_a_device_that_lies_cannot_count_without_end() -> None:
    ledger = SequenceGaps()
    for _ in range(1100):
        ledger.see_all([1, MAX_LOST], 5.0)
    assert ledger.lost == ledger.forgotten == MAX_LOST


def test_a_device_that_begins_anew_below_the_first_that_we_saw_loses_what_it_loses() -> None:
    ledger = SequenceGaps()
    ledger.see_all([500, 501, 1, 2, 3, 7, 8], 5.0)
    assert missing(ledger) == {4, 5, 6}


def test_an_event_of_before_what_is_kept_is_no_new_beginning() -> None:
    ledger = SequenceGaps()
    ledger.see_all([1, 2, 3], 5.0)
    ledger.see(1, 6.0, is_old=True)
    ledger.see(4, 7.0)
    assert (ledger.lost, ledger.first, ledger.last) == (0, 1, 4)
