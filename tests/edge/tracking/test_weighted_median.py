from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tracking.weighted_median import weighted_median

VALUES = st.floats(0, 1)


@given(st.lists(VALUES, min_size=1, max_size=40), st.floats(0.05, 1))
def test_equal_weights_give_the_median(values: list[float], weight: float) -> None:
    assert weighted_median((v, weight) for v in values) == pytest.approx(statistics.median(values))


@given(st.lists(st.tuples(VALUES, st.integers(1, 5)), min_size=1, max_size=15))
def test_weight_acts_as_repetition(pairs: list[tuple[float, int]]) -> None:
    repeated = [value for value, weight in pairs for _ in range(weight)]
    expected = statistics.median(repeated)
    assert weighted_median((v, float(w)) for v, w in pairs) == pytest.approx(expected)


def test_good_evidence_outvotes_much_poor_evidence() -> None:
    assert weighted_median([(0.1, 0.2)] * 6 + [(0.9, 1.0)] * 2) == 0.9


def test_empty_input_raises() -> None:
    with pytest.raises(ValueError, match="no readings"):
        weighted_median([])
