"""All metrics of made-up predictions, compared with scikit-learn and with counts by hand."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.data.datasets import LABELS
from training.evaluation.evaluation_metrics import (
    ChosenThreshold,
    EvaluationContext,
    evaluation_of,
)

TWO, THREE = LABELS[2], LABELS[3]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=40))
def test_metrics_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    scores = 0.2 + 0.6 * np.eye(3)[predicted] / 2
    found = evaluation(
        predictions(THREE, [(THREE[t], list(row)) for t, row in zip(truth, scores, strict=True)])
    )
    present = sorted(set(truth))
    expected = precision_recall_fscore_support(
        truth, predicted, labels=present, average="macro", zero_division=0
    )[:3]
    means = [found.macro.precision, found.macro.recall, found.macro.f1]
    assert [mean.value for mean in means if mean] == pytest.approx(expected)
    assert found.accuracy.value == pytest.approx(found.figures.accuracy)
    for label, each in found.by_label.items():
        plain = found.figures.by_label[label]
        for estimate, value in (
            (each.precision, plain.precision),
            (each.recall, plain.recall),
            (each.f1, plain.f1),
        ):
            assert (0 if estimate is None else estimate.value) == pytest.approx(value)
        positive = truth == THREE.index(label)
        if each.auc is not None:
            ranked = scores[:, THREE.index(label)]
            assert each.auc.value == pytest.approx(roc_auc_score(positive, ranked), abs=1e-6)
        else:
            assert len(set(positive)) == 1


def test_json_has_null_instead_of_nan() -> None:
    one_sided = evaluation(predictions(TWO, [masked(0.1), masked(0.2)]), None)
    text = json.dumps(dataclasses.asdict(one_sided), allow_nan=False)
    record = json.loads(text)
    assert record["by_label"]["no_mask"]["auc"] is None
    assert record["alerts"] is None
    assert record["figures"]["count"] == 2


def test_alerts_count_every_true_label() -> None:
    faces = [bare(0.9), bare(0.4), masked(0.1), masked(0.6), masked(0.2), masked(0.3)]
    wrong = ("incorrect_mask", [0.2, 0.8])
    found = evaluation(predictions(TWO, [*faces, wrong, wrong]))
    assert found.figures.count == 6
    assert found.alerts is not None
    assert (found.alerts.bare_flagged, found.alerts.masked_flagged) == (0.5, 0.25)
    flagged = found.alerts.flagged["incorrect_mask"]
    assert (flagged.value, flagged.count) == (1.0, 2)
    exact = found.alerts_at_2_percent
    assert exact is not None
    assert (exact.masked_flagged, exact.bare_flagged) == (0, 0.5)
    assert exact.flagged["no_mask"].value == 0.5
    assert exact.flagged["no_mask"].count == 2


def test_chosen_threshold_is_applied() -> None:
    found = evaluation_of(
        EvaluationContext("m", "r", "d", "test", 0, None),
        predictions(TWO, [bare(0.9), bare(0.4), masked(0.35), masked(0.1)]),
        ChosenThreshold(0.3, 0.02, ["d"], 50),
    )
    assert found.alerts is None
    assert found.alerts_at_chosen is not None
    assert found.alerts_at_chosen.bare_flagged == 1.0
    assert found.alerts_at_chosen.masked_flagged == 0.5
