"""The figures in the card of a converted model."""

from __future__ import annotations

import numpy as np
import pytest

from convert.classifier.figures import accuracies, card_figures
from convert.classifier.pictures import CheckSet
from training.network.model_report import Report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LABELS = ["mask", "no_mask", "incorrect_mask"]


def report(threshold: float) -> Report:
    return Report(
        name="x",
        keras_sha256="",
        labels=LABELS,
        size_px=96,
        margin=0.1,
        threshold=threshold,
        threshold_chosen="",
        training_data=[],
        figures={},
        config={},
        history=[],
        training_s=0.0,
        licence="",
        versions={},
    )


def test_figures_are_counted_by_data_set_and_label() -> None:
    scores = np.array(
        [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.5, 0.4, 0.1], [0.1, 0.9, 0.0], [0.2, 0.5, 0.3]],
        np.float32,
    )
    check = CheckSet(
        "",
        np.zeros((5, 2, 2, 3), np.uint8),
        np.array([0, 1, 1, 1, 2]),
        {"a": slice(0, 3), "b": slice(3, 5)},
    )
    found = card_figures(check, scores, report(0.5), "int8 in x")
    assert found == {
        "a test, int8 in x": {
            "accuracy": 0.6667,
            "faces": 3,
            "confusion": [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
            "threshold": 0.5,
            "flagged": {"mask": 0.0, "no_mask": 0.5},
        },
        "b test, int8 in x": {
            "accuracy": 0.5,
            "faces": 2,
            "confusion": [[0, 0, 0], [0, 1, 0], [0, 1, 0]],
            "threshold": 0.5,
            "flagged": {"no_mask": 1.0, "incorrect_mask": 1.0},
        },
    }
    assert accuracies(check, scores) == {"a": pytest.approx(2 / 3), "b": 0.5}
