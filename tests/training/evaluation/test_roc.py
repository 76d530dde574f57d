"""Curves and the areas below them, with weights and equal scores, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from training.common.metrics import alert_threshold
from training.evaluation.roc import (
    Ranking,
    average_precision,
    curve_bands,
    curve_points,
    recall_at,
    recall_at_precision,
    roc_auc,
)

faces = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.integers(0, 3)), min_size=2, max_size=60
)


def columns(drawn: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, positive, weights = (np.array(column) for column in zip(*drawn, strict=True))
    counted = weights > 0
    assume((positive & counted).any() and (~positive & counted).any())
    return (scores / 12).astype(np.float32), positive, weights.astype(np.float32)


@pytest.mark.slow
@given(faces)
def test_areas_equal_scikit_learns(drawn: list[tuple[int, bool, int]]) -> None:
    scores, positive, weights = columns(drawn)
    ranking = Ranking(scores, positive)
    rows = np.stack([weights, np.ones_like(weights)])
    for row, auc, precision in zip(
        rows, roc_auc(ranking, rows), average_precision(ranking, rows), strict=True
    ):
        assert auc == pytest.approx(roc_auc_score(positive, scores, sample_weight=row))
        expected = average_precision_score(positive, scores, sample_weight=row)
        assert precision == pytest.approx(expected)


@given(faces)
def test_curve_equals_scikit_learns(drawn: list[tuple[int, bool, int]]) -> None:
    scores, positive, _ = columns(drawn)
    wrong, right, precision = curve_points(Ranking(scores, positive))
    expected, recall, thresholds = precision_recall_curve(positive, scores)
    assert precision[::-1] == pytest.approx(expected)
    assert right[::-1] == pytest.approx(recall)
    assert Ranking(scores, positive).thresholds[::-1] == pytest.approx(thresholds)
    assert (wrong[0], wrong[-1]) == (0, 1)
    assert (np.diff(wrong) >= 0).all()


@given(faces, st.sampled_from([0.0, 0.02, 0.1, 0.5]))
def test_recall_equals_share_flagged_at_threshold(
    drawn: list[tuple[int, bool, int]], false_alarms: float
) -> None:
    scores, positive, _ = columns(drawn)
    threshold = alert_threshold([scores[~positive]], false_alarms)
    found = recall_at(Ranking(scores, positive), np.ones((1, len(scores)), "f4"), false_alarms)
    assert found[0] == pytest.approx((scores[positive] >= threshold).mean())


@given(faces)
def test_recall_at_precision_is_the_highest_of_scikit_learns_curve(
    drawn: list[tuple[int, bool, int]],
) -> None:
    scores, positive, weights = columns(drawn)
    found = recall_at_precision(Ranking(scores, positive), weights[np.newaxis], 0.7)
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight=weights)
    precise = recall[(precision >= 0.7 - 1e-9) & (recall > 0)]
    assert found[0] == pytest.approx(max(precise, default=0.0))


def test_single_class_has_no_area() -> None:
    weights = np.ones((1, 3), np.float32)
    for positive in (np.ones(3, bool), np.zeros(3, bool)):
        ranking = Ranking(np.array([0.1, 0.5, 0.5], np.float32), positive)
        assert not ranking.has_both_classes
        assert np.isnan(roc_auc(ranking, weights)).all()
        assert np.isnan(recall_at(ranking, weights, 0.02)).all()
    nothing = Ranking(np.zeros(0, np.float32), np.zeros(0, bool))
    assert np.isnan(recall_at(nothing, np.zeros((2, 0), np.float32), 0.02)).all()


def test_bands_contain_curve_and_narrow() -> None:
    rng = np.random.default_rng(3)
    at = np.linspace(0.05, 0.95, 10)
    widths = []
    for count in (100, 1600):
        positive = np.arange(count) % 2 == 0
        scores = (rng.normal(0, 1, count) + positive).astype(np.float32)
        ranking = Ranking(scores, positive)
        found, precise = curve_bands(ranking, np.arange(count), at)
        wrong, right, _ = curve_points(ranking)
        on_curve = right[np.searchsorted(wrong, at + 1e-9, side="right") - 1]
        assert (found[0] <= on_curve).all()
        assert (on_curve <= found[1]).all()
        assert (precise[0] <= precise[1]).all()
        widths.append((found[1] - found[0]).mean())
    assert widths[1] < widths[0] / 2.5
