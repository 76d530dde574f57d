"""The answer of a model: the labels that it chooses among, and the thresholds of their scores.

A model of three labels can answer among `mask` and `no_mask` alone. Its softmax without the third
output would give the probabilities of these two labels given that the face has one of them; so do
its scores of them, divided by their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.classification.model_card import TWO_LABELS, Alert, Card, Unsure

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """The `labels` of an answer, in the order of its scores, and the thresholds of these scores.

    `unsure` is None for a model with a card of an earlier version: nothing is unsure.
    """

    labels: tuple[str, ...]
    alert: Alert
    unsure: Unsure | None


def answer_of(card: Card, two_labels: bool = False) -> Answer:
    """Return the answer of the model of `card`: all its labels, or with `two_labels` `TWO_LABELS`.

    A model of two labels has only one answer. A card of an earlier version has thresholds for all
    labels only, which then apply to both answers.
    """
    labels = tuple(card.labels)
    if not two_labels or not set(TWO_LABELS) < set(labels):
        return Answer(labels, card.alert, card.unsure)
    if card.two_labels is not None:
        return Answer(TWO_LABELS, card.two_labels.alert, card.two_labels.unsure)
    unsure = card.unsure
    if unsure is not None:
        scores = {label: unsure.scores[label] for label in TWO_LABELS}
        unsure = Unsure(scores=scores, chosen=unsure.chosen)
    return Answer(TWO_LABELS, card.alert, unsure)


def scores_among(scores: Floats, labels: tuple[str, ...], among: tuple[str, ...]) -> Floats:
    """Return the scores of the labels `among` out of `scores`, which belong to `labels`.

    Both are (..., number of labels); each row of the result adds up to 1. If all scores of a row
    are 0, as a quantised model rounds them, none of its labels is more probable than another.
    """
    if among == labels:
        return scores
    part = scores[..., [labels.index(label) for label in among]]
    total = part.sum(axis=-1, keepdims=True)
    equal = np.full_like(part, 1 / len(among))
    return np.divide(part, total, out=equal, where=total > 0)
