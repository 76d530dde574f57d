"""The measured figures in a converted model's card: accuracy and alerts on the test parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from convert.classifier.parity import Floats
from convert.classifier.pictures import CheckSet
from edge.classification.model_card import ALERT_LABEL
from training.common.metrics import Ints, classification_metrics, unsure_faces
from training.network.model_report import Report

Bools = npt.NDArray[np.bool_]


def card_figures(check: CheckSet, scores: Floats, report: Report, how: str) -> dict[str, Any]:
    """Return the figures of each data set, under a name that ends with `how`.

    `how` states what was measured, such as "int8 in tflite-runtime".
    `scores` (n, labels) are those of `check.pixels`. By true label, `flagged` is the share of
    faces whose alert score reaches the report's threshold, and `unsure` that of the faces about
    which the model says nothing, if the report has scores for that.
    """
    found = {}
    for name, place in check.parts.items():
        truth, own = check.truth[place], scores[place]
        metrics = classification_metrics(truth, own.argmax(axis=1), tuple(report.labels))
        found[f"{name} test, {how}"] = {
            "accuracy": round(metrics.accuracy, 4),
            "faces": metrics.count,
            "confusion": metrics.confusion,
            "threshold": report.threshold,
            "flagged": _shares(truth, _reached(own, report), report),
            **_unsure(truth, own, report),
        }
    return found


def accuracies(check: CheckSet, scores: Floats) -> dict[str, float]:
    """Return the share of correct labels, by data set."""
    right = scores.argmax(axis=1) == check.truth
    return {name: float(right[place].mean()) for name, place in check.parts.items()}


def _reached(scores: Floats, report: Report) -> Bools:
    return np.asarray(scores[:, report.labels.index(ALERT_LABEL)] >= report.threshold, np.bool_)


def _unsure(truth: Ints, scores: Floats, report: Report) -> dict[str, Any]:
    if report.unsure is None:
        return {}
    unsure = unsure_faces(scores, report.labels, report.unsure.scores)
    return {"unsure": _shares(truth, unsure, report)}


def _shares(truth: Ints, chosen: Bools, report: Report) -> dict[str, float]:
    return {
        label: round(float(chosen[truth == index].mean()), 4)
        for index, label in enumerate(report.labels)
        if (truth == index).any()
    }
