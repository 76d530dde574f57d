"""The alert threshold: limits of false alarms on masked faces and on boxes without a face."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.training.held_out import face_scores, held_out
from training.fit.alert_threshold import choose_alert

LABELS = ("mask", "no_mask")
THREE = (*LABELS, "incorrect_mask")


def test_one_percent_of_masked_faces_may_reach_threshold() -> None:
    masked = [index / 201 for index in range(100)]
    found = choose_alert(held_out(LABELS, {"made up": face_scores(LABELS, masked, [0.9] * 9)}))
    assert (np.array(masked) >= found.threshold).sum() == 1
    assert "made up" in found.chosen


@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_boxes_without_a_face_raise_the_threshold(labels: tuple[str, ...]) -> None:
    permitted = 5
    faces = {"made up": face_scores(labels, [0.2] * 100, [0.9])}

    def chosen(*empty: list[float]) -> float:
        return choose_alert(held_out(labels, faces, *empty)).threshold

    many = [0.8] * (permitted + 1) + [0.1] * (99 - permitted)
    few = [0.8] * permitted + [0.1] * (100 - permitted)
    assert chosen(many) == pytest.approx(0.8, abs=1e-3)
    assert chosen(few) < 0.3
    assert chosen(few, many) == chosen(many)  # each group must keep to the limit
