"""Classification metrics, compared with scikit-learn's, and the alert threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from training.common.metrics import alert_threshold, classification_metrics

LABELS = ("mask", "no_mask", "incorrect_mask")
answers = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


@given(answers)
def test_metrics_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs, np.int64).T
    found = classification_metrics(truth, predicted, LABELS)
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.count == len(pairs)
    assert found.confusion == confusion_matrix(truth, predicted, labels=[0, 1, 2]).tolist()
    expected = precision_recall_fscore_support(truth, predicted, labels=[0, 1, 2], zero_division=0)
    for index, label in enumerate(LABELS):
        each = found.by_label[label]
        row = (each.precision, each.recall, each.f1, each.count)
        assert row == pytest.approx(tuple(column[index] for column in expected))


def test_two_of_a_hundred_reach_threshold() -> None:
    scores = np.arange(100, dtype=np.float32) / 100
    threshold = alert_threshold([scores], 0.02)
    assert (scores >= threshold).sum() == 2
    assert threshold == pytest.approx(0.97, abs=1e-6)


def test_data_sets_count_equally_for_threshold() -> None:
    many, few = np.full(1000, 0.1, np.float32), np.array([0.2] * 9 + [0.8], np.float32)
    assert alert_threshold([many, few], 0.05) == pytest.approx(0.2, abs=1e-6)
    assert alert_threshold([many, few], 0.04) == pytest.approx(0.8, abs=1e-6)


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]),
)
def test_threshold_is_smallest_that_keeps_share(scores: list[float], share: float) -> None:
    array = np.array(scores, np.float32)
    threshold = alert_threshold([array], share)
    assert (array >= threshold).mean() <= share + 1e-6
    below = np.nextafter(np.float32(threshold), np.float32(-1))
    assert (array >= below).mean() > share
