"""The answers of a model: their labels, their thresholds, and their scores."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.classification.answer import Answer, answer_of, scores_among
from edge.classification.model_card import TWO_LABELS, Alert, Card, Thresholds, Unsure
from tests.support.models import two_label_model

THREE = ("mask", "no_mask", "incorrect_mask")
UNSURE = Unsure(scores={"mask": 0.8, "no_mask": 0.7, "incorrect_mask": 0.5}, chosen="by hand")
CARD: Card = msgspec.structs.replace(
    two_label_model.CARD,
    labels=list(THREE),
    alert=Alert(threshold=0.7, chosen="by hand"),
    unsure=UNSURE,
    two_labels=Thresholds(
        alert=Alert(threshold=0.9, chosen="by hand"),
        unsure=Unsure(scores={"mask": 0.95, "no_mask": 0.9}, chosen="by hand"),
    ),
)


def test_each_answer_has_its_own_thresholds() -> None:
    assert answer_of(CARD) == Answer(THREE, CARD.alert, UNSURE)
    assert CARD.two_labels is not None
    own = Answer(TWO_LABELS, CARD.two_labels.alert, CARD.two_labels.unsure)
    assert answer_of(CARD, two_labels=True) == own


def test_card_of_an_earlier_version_has_the_same_thresholds_for_both_answers() -> None:
    earlier = msgspec.structs.replace(CARD, two_labels=None)
    unsure = Unsure(scores={"mask": 0.8, "no_mask": 0.7}, chosen="by hand")
    assert answer_of(earlier, two_labels=True) == Answer(TWO_LABELS, CARD.alert, unsure)
    earlier = msgspec.structs.replace(earlier, unsure=None)
    assert answer_of(earlier, two_labels=True) == Answer(TWO_LABELS, CARD.alert, None)


def test_model_of_two_labels_has_one_answer() -> None:
    card = two_label_model.CARD
    assert (
        answer_of(card, two_labels=True) == answer_of(card) == Answer(TWO_LABELS, card.alert, None)
    )


def test_scores_of_two_labels_are_those_of_a_softmax_without_the_third() -> None:
    logits = np.random.default_rng(3).normal(0, 2, (50, 3)).astype(np.float32)

    def softmax(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
        return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)

    found = scores_among(softmax(logits), THREE, TWO_LABELS)  # type: ignore[arg-type]
    assert found == pytest.approx(softmax(logits[:, :2]), abs=1e-6)
    turned = scores_among(softmax(logits), THREE[::-1], TWO_LABELS)  # type: ignore[arg-type]
    assert turned == pytest.approx(softmax(logits[:, [2, 1]]), abs=1e-6)


def test_scores_that_are_rounded_to_0_are_equal() -> None:
    scores = np.array([0.0, 0.0, 1.0], np.float32)
    assert scores_among(scores, THREE, TWO_LABELS).tolist() == [0.5, 0.5]
