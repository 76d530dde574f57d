"""Missing sequence numbers, in whatever order the other numbers arrive."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.history.sequence_gaps import MAX_GAPS, MAX_JUMP, MAX_LOST, SequenceGaps


def add_all(sequence: SequenceGaps, seqs: Iterable[int]) -> None:
    for seq in seqs:
        sequence.add(seq, 5.0)


def missing(sequence: SequenceGaps) -> set[int]:
    return {n for first, (last, _) in sequence.gaps.items() for n in range(first, last + 1)}


@given(st.sets(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_missing_numbers_are_those_that_never_arrive(numbers: set[int], chance: object) -> None:
    order = sorted(numbers)
    rest = order[1:]
    chance.shuffle(rest)  # type: ignore[attr-defined]
    sequence = SequenceGaps()
    add_all(sequence, [order[0], *rest])
    assert missing(sequence) == set(range(order[0], order[-1] + 1)) - numbers
    assert sequence.lost == len(missing(sequence))
    assert (sequence.first, sequence.last) == (order[0], order[-1])


def test_numbers_below_the_first_are_ignored() -> None:
    sequence = SequenceGaps()
    add_all(sequence, [5, 3, 6])
    assert (sequence.lost, sequence.first, sequence.last) == (0, 5, 6)


def test_restart_keeps_earlier_losses() -> None:
    sequence = SequenceGaps()
    add_all(sequence, [1, 2, 5, 2, 3, 4, 7])
    # The events 3 and 4 were lost before the restart, and the events 5 and 6 after it.
    assert sequence.lost == 4
    assert missing(sequence) == {5, 6}


def test_surplus_gaps_are_counted_but_not_listed() -> None:
    sequence = SequenceGaps()
    add_all(sequence, range(1, 4 * MAX_GAPS, 2))
    assert len(sequence.gaps) == MAX_GAPS
    assert sequence.lost == 2 * MAX_GAPS - 1


def test_count_of_lost_events_is_bounded() -> None:
    sequence = SequenceGaps(first=1, last=1, forgotten=MAX_LOST - 10)
    add_all(sequence, [MAX_JUMP, 1])
    assert sequence.lost == sequence.forgotten == MAX_LOST


def test_restart_below_the_first_number_is_noticed() -> None:
    sequence = SequenceGaps()
    add_all(sequence, [500, 501, 1, 2, 3, 7, 8])
    assert missing(sequence) == {4, 5, 6}


def test_jump_to_an_unused_range_and_back_is_no_loss() -> None:
    """A device counts in microseconds since 1970 while its disk cannot record the numbers."""
    sequence = SequenceGaps()
    unused = 1_790_000_000_000_000
    add_all(sequence, [1, 2, 5, unused, unused + 1, unused + 3])
    assert sequence.lost == 3
    add_all(sequence, [6, 7, 9])
    assert (sequence.lost, sequence.first, sequence.last) == (4, 6, 9)


def test_old_event_is_no_restart() -> None:
    sequence = SequenceGaps()
    add_all(sequence, [1, 2, 3])
    sequence.add(1, 6.0, is_old=True)
    sequence.add(4, 7.0)
    assert (sequence.lost, sequence.first, sequence.last) == (0, 1, 4)
