from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.tracking.assignment import MAX_EXACT, assign

COSTS = st.one_of(st.floats(0, 3), st.just(math.inf))


def tables(rows: int, columns: int) -> st.SearchStrategy[list[list[float]]]:
    row = st.lists(COSTS, min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


def rank(costs: list[list[float]], pairs: dict[int, int]) -> tuple[int, float]:
    """The sort key of an assignment: more pairs come first, then lower costs."""
    return -len(pairs), sum(costs[row][column] for row, column in pairs.items())


def best_rank(costs: list[list[float]]) -> tuple[int, float]:
    """The rank of the best assignment, found by comparing all assignments."""
    columns = len(costs[0])
    candidates = itertools.product(range(-1, columns), repeat=len(costs))
    return min(
        rank(costs, pairs)
        for candidate in candidates
        for pairs in [{row: column for row, column in enumerate(candidate) if column >= 0}]
        if len(set(pairs.values())) == len(pairs)
        and all(costs[row][column] < math.inf for row, column in pairs.items())
    )


@settings(derandomize=True)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda size: tables(*size)))
def test_small_table_gets_the_optimal_assignment(costs: list[list[float]]) -> None:
    count, total = rank(costs, assign(costs))
    best_count, best_total = best_rank(costs)
    assert (count, total) == (best_count, pytest.approx(best_total))


@settings(derandomize=True)
@given(tables(MAX_EXACT + 1, MAX_EXACT + 2))
def test_large_table_gets_a_valid_assignment(costs: list[list[float]]) -> None:
    pairs = assign(costs)
    assert len(set(pairs.values())) == len(pairs)
    assert all(costs[row][column] < math.inf for row, column in pairs.items())


def test_total_cost_decides_over_cheapest_pair() -> None:
    assert assign([[0.1, 0.2], [0.2, 1.0]]) == {0: 1, 1: 0}


def test_empty_table_has_no_pairs() -> None:
    assert assign([]) == {}
    assert assign([[], []]) == {}
