"""Metrics of a classifier, from true and predicted labels and from scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one label; each metric is 0 to 1, and 0 where it is undefined.

    `count` is the number of faces with this true label.
    """

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class ClassificationMetrics:
    """Metrics of all labels.

    `confusion[t][p]` is the number of faces with true label t and predicted label p, in the order
    of `by_label`.
    """

    accuracy: float
    count: int
    by_label: dict[str, ClassMetrics]
    confusion: list[list[int]]


def classification_metrics(
    truth: Ints, predicted: Ints, labels: tuple[str, ...]
) -> ClassificationMetrics:
    """Compute metrics from (n,) indices into `labels`; n must be at least 1."""
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    by_label = {label: _class_metrics(confusion, index) for index, label in enumerate(labels)}
    accuracy = float(np.trace(confusion) / confusion.sum())
    return ClassificationMetrics(accuracy, int(confusion.sum()), by_label, confusion.tolist())


def _class_metrics(confusion: Ints, index: int) -> ClassMetrics:
    hits, count = int(confusion[index, index]), int(confusion[index].sum())
    taken = int(confusion[:, index].sum())
    precision = hits / taken if taken else 0.0
    recall = hits / count if count else 0.0
    f1 = 2 * hits / (taken + count) if taken + count else 0.0
    return ClassMetrics(precision, recall, f1, count)


def unsure_faces(
    scores: Floats, labels: Sequence[str], min_scores: Mapping[str, float]
) -> npt.NDArray[np.bool_]:
    """Return (n,) whether the highest of `scores`, (n, labels), is below that in `min_scores`.

    `min_scores` are those of the model's card, by label, or empty if nothing is unsure.
    """
    least = np.array([min_scores.get(label, 0.0) for label in labels], np.float32)
    return np.asarray(scores.max(axis=1) < least[scores.argmax(axis=1)], np.bool_)


def alert_threshold(masked_scores: list[Floats], false_alarms: float) -> float:
    """Return the lowest threshold at which at most the share `false_alarms` of the masked faces is
    flagged.

    `masked_scores` holds the alert label's score of each masked face, with one array for each data
    set. Data sets count equally, whatever their number of faces.
    """
    scores = np.concatenate(masked_scores)
    weights = np.concatenate([np.full(len(s), 1 / len(s)) for s in masked_scores if len(s)])
    order = np.argsort(-scores, kind="stable")
    flagged = np.cumsum(weights[order]) / weights.sum()
    over = int(np.searchsorted(flagged, false_alarms + 1e-9, side="right"))
    if over == len(scores):
        return float(np.min(scores))
    return float(np.nextafter(scores[order[over]], np.float32(2)))
