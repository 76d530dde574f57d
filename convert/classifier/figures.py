"""The measured figures in a converted model's card: accuracy and alerts on the test parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.classifier.parity import Floats
from convert.classifier.pictures import CheckSet
from edge.classification.answer import Answer, answer_of, scores_among
from edge.classification.model_card import ALERT_LABEL, KNOWN_LABELS, TWO_LABELS, Card
from training.common.metrics import classification_metrics, unsure_faces

Bools = npt.NDArray[np.bool_]


def card_figures(check: CheckSet, scores: Floats, card: Card, how: str) -> dict[str, Any]:
    """Return the figures of each data set and answer, under a name that ends with `how`.

    `how` states what was measured, such as "int8 in tflite-runtime".
    `scores` (n, labels) are those of `check.pixels`. `accuracy`, `faces` and `confusion` are about
    the faces whose label the answer has. By true label, whether the answer has it or not, `flagged`
    is the share of faces whose alert score reaches the answer's threshold, and `unsure` that of the
    faces about which the model says nothing, if the card has scores for that.
    """
    labels, found = tuple(card.labels), {}
    for name, place in check.parts.items():
        truth = [labels[index] for index in check.truth[place]]
        found[f"{name} test, {how}"] = _figures(truth, scores[place], answer_of(card))
        if len(labels) > len(TWO_LABELS) and not set(TWO_LABELS).isdisjoint(truth):
            own = scores_among(scores[place], labels, TWO_LABELS)
            two = _figures(truth, own, answer_of(card, two_labels=True))
            found[f"{name} test, two labels, {how}"] = two
    return found


def _figures(truth: Sequence[str], scores: Floats, answer: Answer) -> dict[str, Any]:
    labels, threshold = answer.labels, answer.alert.threshold
    known = np.array([label in labels for label in truth], np.bool_)
    index = np.array([labels.index(label) for label in truth if label in labels], np.int64)
    metrics = classification_metrics(index, scores[known].argmax(axis=1), labels)
    flagged = scores[:, labels.index(ALERT_LABEL)] >= threshold
    figures = {
        "accuracy": round(metrics.accuracy, 4),
        "faces": metrics.count,
        "confusion": metrics.confusion,
        "threshold": threshold,
        "flagged": _shares(truth, flagged),
    }
    if answer.unsure is not None:
        unsure = unsure_faces(scores, labels, answer.unsure.scores)
        figures["unsure"] = _shares(truth, unsure)
    return figures


def accuracies(check: CheckSet, scores: Floats) -> dict[str, float]:
    """Return the share of correct labels, by data set."""
    right = scores.argmax(axis=1) == check.truth
    return {name: float(right[place].mean()) for name, place in check.parts.items()}


def _shares(truth: Sequence[str], chosen: Bools) -> dict[str, float]:
    of = np.array(truth)
    return {
        label: round(float(chosen[of == label].mean()), 4)
        for label in KNOWN_LABELS
        if label in truth
    }
