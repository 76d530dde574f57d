"""Bootstrap intervals: their ends compared with known values, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from training.common.intervals import (
    Estimate,
    bootstrap_estimates,
    bootstrap_weights,
    percentile_interval,
    share_estimates,
)

ALONE = np.arange(400)


def share_of(hits: int, count: int) -> Estimate:
    right = np.arange(count) < hits
    found = share_estimates({"it": (right, np.ones(count))}, np.arange(count))["it"]
    assert found is not None
    return found


def test_interval_of_independent_pictures_matches_theory() -> None:
    found = share_of(320, 400)
    reach = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert (found.value, found.count) == (0.8, 400)
    assert found.low == pytest.approx(0.8 - reach, abs=0.006)
    assert found.high == pytest.approx(0.8 + reach, abs=0.006)


def test_faces_of_one_picture_are_resampled_together() -> None:
    right = np.arange(400) % 5 != 0
    once = share_estimates({"it": (right, np.ones(400))}, ALONE)["it"]
    thrice = share_estimates({"it": (np.repeat(right, 3), np.ones(1200))}, np.repeat(ALONE, 3))[
        "it"
    ]
    as_if_alone = share_estimates({"it": (np.repeat(right, 3), np.ones(1200))}, np.arange(1200))[
        "it"
    ]
    assert once is not None
    assert thrice is not None
    assert as_if_alone is not None
    assert (thrice.value, thrice.low, thrice.high) == (once.value, once.low, once.high)
    assert thrice.count == 1200
    assert as_if_alone.high - as_if_alone.low < 0.65 * (once.high - once.low)


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (0, 29), (29, 29), (3, 3)])
def test_share_of_zero_or_one_has_exact_bound(hits: int, count: int) -> None:
    found = share_of(hits, count)
    low = 0.0 if hits == 0 else beta.ppf(0.025, hits, count - hits + 1)
    high = 1.0 if hits == count else beta.ppf(0.975, hits + 1, count - hits)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_exact_bound_counts_pictures_not_faces() -> None:
    found = share_estimates({"it": (np.ones(40), np.ones(40))}, np.repeat(np.arange(4), 10))["it"]
    assert found is not None
    assert found.low == pytest.approx(0.025 ** (1 / 4))


@pytest.mark.slow
def test_intervals_cover_the_truth_95_percent_of_the_time() -> None:
    rng = np.random.default_rng(7)
    pictures = np.repeat(np.arange(80), 2)
    held = 0
    for _ in range(200):
        # The errors of faces in one picture are correlated.
        hard = np.repeat(rng.random(80) < 0.3, 2)
        right = rng.random(160) < np.where(hard, 0.5, 0.9)
        found = share_estimates({"it": (right, np.ones(160))}, pictures)["it"]
        assert found is not None
        held += found.low <= 0.7 * 0.9 + 0.3 * 0.5 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_same_seed_gives_same_weights() -> None:
    pictures = np.array([5, 5, 9, 2])
    first, again = (np.concatenate(list(bootstrap_weights(pictures, 50))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (50, 4)
    np.testing.assert_array_equal(first[:, 0], first[:, 1])
    assert (first[:, 1:].sum(axis=1) == 3).all()
    assert not np.array_equal(first, np.concatenate(list(bootstrap_weights(pictures, 50, seed=2))))


def test_many_pictures_are_drawn_in_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.common.intervals.MAX_CELLS", 1000)
    sizes = [len(weights) for weights in bootstrap_weights(np.arange(300), 10)]
    assert sizes == [3, 3, 3, 1]


def test_undefined_metric_has_no_estimate() -> None:
    assert share_estimates({"it": (np.zeros(3), np.zeros(3))}, np.arange(3)) == {"it": None}
    assert share_estimates({}, np.arange(3)) == {}
    found = bootstrap_estimates(
        lambda w: {"it": np.full(len(w), np.nan)}, np.arange(3), resamples=5
    )
    assert found == {"it": None}


def test_interval_ignores_undefined_draws() -> None:
    assert percentile_interval(np.array([np.nan, 0.5, 0.5, np.nan])) == (0.5, 0.5)
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 9)), min_size=1))
def test_shares_stay_between_zero_and_one(faces: list[tuple[bool, bool, int]]) -> None:
    right, known, pictures = (np.array(column) for column in zip(*faces, strict=True))
    found = share_estimates({"it": (right & known, known)}, pictures)["it"]
    if not known.any():
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx((right & known).sum() / known.sum())
        assert 0 <= found.low <= found.high <= 1
        assert found.count == known.sum()
