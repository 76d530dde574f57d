"""The figures in the card of a converted model."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from convert.classifier.figures import accuracies, card_figures
from convert.classifier.pictures import CheckSet
from edge.classification.model_card import Alert, Thresholds, Unsure
from tests.support.models import two_label_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CARD = msgspec.structs.replace(
    two_label_model.CARD,
    labels=["mask", "no_mask", "incorrect_mask"],
    alert=Alert(threshold=0.5, chosen=""),
    two_labels=Thresholds(
        alert=Alert(threshold=0.7, chosen=""),
        unsure=Unsure(scores={"mask": 0.8, "no_mask": 0.7}, chosen=""),
    ),
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
    found = card_figures(check, scores, CARD, "int8 in x")
    assert found == {
        "a test, int8 in x": {
            "accuracy": 0.6667,
            "faces": 3,
            "confusion": [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
            "threshold": 0.5,
            "flagged": {"mask": 0.0, "no_mask": 0.5},
        },
        "a test, two labels, int8 in x": {
            "accuracy": 0.6667,
            "faces": 3,
            "confusion": [[1, 0], [1, 1]],
            "threshold": 0.7,
            "flagged": {"mask": 0.0, "no_mask": 0.5},
            "unsure": {"mask": 0.0, "no_mask": 0.5},
        },
        "b test, int8 in x": {
            "accuracy": 0.5,
            "faces": 2,
            "confusion": [[0, 0, 0], [0, 1, 0], [0, 1, 0]],
            "threshold": 0.5,
            "flagged": {"no_mask": 1.0, "incorrect_mask": 1.0},
        },
        "b test, two labels, int8 in x": {
            "accuracy": 1.0,
            "faces": 1,
            "confusion": [[0, 0], [0, 1]],
            "threshold": 0.7,
            "flagged": {"no_mask": 1.0, "incorrect_mask": 1.0},
            "unsure": {"no_mask": 0.0, "incorrect_mask": 0.0},
        },
    }
    assert accuracies(check, scores) == {"a": pytest.approx(2 / 3), "b": 0.5}
