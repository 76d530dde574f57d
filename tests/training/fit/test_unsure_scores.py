"""The scores under which a reading is unsure: limits by faces, boxes without a face, threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge.classification.model_card import Unsure
from tests.support.training.held_out import face_scores, held_out
from training.common.metrics import unsure_faces
from training.fit.held_out_scores import FaceScores
from training.fit.unsure_scores import MAX_SCORE, choose_unsure

LABELS = ("mask", "no_mask")


def face_set(masked: list[float], bare: list[float]) -> FaceScores:
    """Return faces by the score of their own label."""
    return face_scores(LABELS, [1 - score for score in masked], bare)


def chosen(
    validation: dict[str, FaceScores], *empty: Sequence[float], threshold: float = 1.0
) -> Unsure:
    return choose_unsure(held_out(LABELS, validation, *empty), threshold)


def test_two_percent_of_the_faces_of_a_label_are_below() -> None:
    masked = [0.6, 0.7, 0.8] + [0.95] * 97
    found = chosen({"made up": face_set(masked, [0.9] * 100)})
    assert found.scores["mask"] == pytest.approx(0.8, abs=0.003)
    assert found.scores["no_mask"] == pytest.approx(0.9, abs=0.003)
    assert "98% of its validation faces (made up, counting equally)" in found.chosen


def test_faces_with_another_label_do_not_count() -> None:
    wrong = [0.1] * 40  # labelled no_mask, although they have a mask
    found = chosen({"made up": face_set([0.9] * 60 + wrong, [0.9])})
    assert found.scores["mask"] == pytest.approx(0.9, abs=0.003)


def test_data_sets_count_equally() -> None:
    few = face_set([0.6] + [0.95] * 29, [0.95])
    many = face_set([0.95] * 990, [0.95])
    assert chosen({"few": few, "many": many}).scores["mask"] == pytest.approx(0.95, abs=0.003)
    alone = chosen({"few": few}).scores["mask"]
    assert alone == pytest.approx(0.6, abs=0.003)


def test_scores_stay_below_what_an_int8_model_can_reach() -> None:
    found = chosen({"made up": face_set([1.0] * 50, [1.0] * 50)})
    assert found.scores == {"mask": MAX_SCORE, "no_mask": MAX_SCORE}
    assert MAX_SCORE < 255 / 256


def test_bare_face_that_alerts_is_sure() -> None:
    found = chosen({"made up": face_set([0.9] * 50, [0.95] * 50)}, threshold=0.8)
    assert found.scores["no_mask"] == 0.8


def test_lower_score_is_sufficient_for_boxes_that_the_network_tells_apart() -> None:
    faces = {"made up": face_set([0.95] * 50, [0.95] * 50)}
    clear = [0.4] * 99 + [0.35]  # `mask` with scores of 0.6 and once 0.65
    mixed = [0.4] * 90 + [0.1] * 10
    assert chosen(faces, clear).scores["mask"] == pytest.approx(0.6, abs=0.003)
    assert chosen(faces, clear, mixed).scores["mask"] == pytest.approx(0.9, abs=0.01)


def test_label_without_faces_is_always_sure() -> None:
    assert chosen({"made up": face_set([0.9], [])}).scores["no_mask"] == 0.0


def test_highest_score_decides_which_faces_are_unsure() -> None:
    scores = np.array([[0.96, 0.04], [0.9, 0.1], [0.1, 0.9], [0.3, 0.7]], np.float32)
    unsure = unsure_faces(scores, LABELS, {"mask": 0.95, "no_mask": 0.8})
    assert unsure.tolist() == [False, True, False, True]
    assert not unsure_faces(scores, LABELS, {}).any()
