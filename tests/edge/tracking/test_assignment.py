from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.tracking.assignment import EXACT_UP_TO, assign

COSTS = st.one_of(st.floats(0, 3), st.just(math.inf))


def tables(rows: int, columns: int) -> st.SearchStrategy[list[list[float]]]:
    line = st.lists(COSTS, min_size=columns, max_size=columns)
    return st.lists(line, min_size=rows, max_size=rows)


def value(costs: list[list[float]], pairs: dict[int, int]) -> tuple[int, float]:
    """Fewer pairs are worse than any sum."""
    return -len(pairs), sum(costs[row][column] for row, column in pairs.items())


def best(costs: list[list[float]]) -> tuple[int, float]:
    """Every way to give each row one column or none."""
    columns = len(costs[0])
    ways = itertools.product(range(-1, columns), repeat=len(costs))
    return min(
        value(costs, pairs)
        for way in ways
        for pairs in [{row: column for row, column in enumerate(way) if column >= 0}]
        if len(set(pairs.values())) == len(pairs)
        and all(costs[row][column] < math.inf for row, column in pairs.items())
    )


@settings(derandomize=True)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda size: tables(*size)))
def test_no_other_assignment_is_better(costs: list[list[float]]) -> None:
    count, total = value(costs, assign(costs))
    assert (count, total) == (best(costs)[0], pytest.approx(best(costs)[1]))


@settings(derandomize=True)
@given(tables(EXACT_UP_TO + 1, EXACT_UP_TO + 2))
def test_a_crowd_gets_each_column_once_and_nothing_forbidden(costs: list[list[float]]) -> None:
    pairs = assign(costs)
    assert len(set(pairs.values())) == len(pairs)
    assert all(costs[row][column] < math.inf for row, column in pairs.items())


def test_the_sum_counts_and_not_the_best_pair() -> None:
    assert assign([[0.1, 0.2], [0.2, 1.0]]) == {0: 1, 1: 0}


def test_nobody_and_nothing() -> None:
    assert assign([]) == {}
    assert assign([[], []]) == {}
