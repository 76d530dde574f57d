"""All metrics of one model on one data set, computed from its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import (
    COVERAGE,
    RESAMPLES,
    SEED,
    Estimate,
    Values,
    Weights,
    bootstrap_estimates,
    ratio,
    share_estimates,
)
from training.common.metrics import (
    ClassificationMetrics,
    Floats,
    alert_threshold,
    classification_metrics,
)
from training.evaluation.calibration_error import Reliability, reliability
from training.evaluation.predictions import ALL_LABELS, Predictions
from training.evaluation.roc import (
    Ranking,
    average_precision,
    recall_at,
    recall_at_precision,
    roc_auc,
)
from training.evaluation.slices import Slice, slices

DEFAULT_FALSE_ALARMS = 0.02
#: The precision at which the recall of a label is read.
READ_AT_PRECISION = 0.7
MASKED = "mask"


@dataclass(frozen=True)
class EvaluationContext:
    """The model and the data that an evaluation is about.

    `left_out`: the number of faces that the model has no label for, that are too small, or whose
    picture cannot be decoded. `threshold`: the model's own alert threshold, or None if it has none.
    `without_copies_of`: the names of the data sets whose training pictures were searched for
    near-duplicates.
    """

    model: str
    runtime: str
    data: str
    split: str
    left_out: int
    threshold: float | None
    without_copies_of: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AlertMetrics:
    """The shares of masked and of bare faces that reach `threshold`, or None without such faces.

    `flagged`: the shares with intervals, by true label, including labels that the model lacks.
    """

    threshold: float
    masked_flagged: float | None
    bare_flagged: float | None
    flagged: dict[str, Estimate]


@dataclass(frozen=True)
class ChosenThreshold:
    """The lowest threshold at which at most `false_alarms` of the masked faces are flagged.

    The faces are those in the validation splits of `data`; data sets count equally.
    """

    threshold: float
    false_alarms: float
    data: list[str]
    masked_faces: int


@dataclass(frozen=True)
class LabelEstimates:
    """Metrics of one label against all other labels, each 0 to 1, or None if undefined.

    `recall_at_precision`: the highest recall at a threshold with a precision of at least
    `READ_AT_PRECISION`.
    """

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    auc: Estimate | None
    average_precision: Estimate | None
    recall_at_precision: Estimate | None


@dataclass(frozen=True)
class MacroEstimates:
    """Means of metrics over the labels that occur in the data set."""

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True)
class WithoutCopies:
    """The accuracy without the `copies` faces that are near-duplicates of pictures in train splits.

    `of`: the names of the data sets with these train splits.
    """

    of: list[str]
    copies: int
    accuracy: Estimate | None


@dataclass(frozen=True)
class Evaluation:
    """The object that `python -m training evaluate --json` prints for each data set."""

    model: str
    runtime: str
    data: str
    split: str
    left_out: int
    figures: ClassificationMetrics
    alerts: AlertMetrics | None
    alerts_at_2_percent: AlertMetrics | None
    chosen: ChosenThreshold | None
    alerts_at_chosen: AlertMetrics | None
    pictures: int
    accuracy: Estimate
    macro: MacroEstimates
    by_label: dict[str, LabelEstimates]
    answer_reliability: Reliability
    alert_reliability: Reliability
    slices: dict[str, list[Slice]]
    without_copies: WithoutCopies | None
    bootstrap: dict[str, Any] = field(
        default_factory=lambda: {
            "interval": COVERAGE,
            "method": "percentile",
            "resampled": "pictures",
            "resamples": RESAMPLES,
            "seed": SEED,
        }
    )


def evaluation_of(
    context: EvaluationContext,
    predictions: Predictions,
    chosen: ChosenThreshold | None = None,
    without_copies: WithoutCopies | None = None,
) -> Evaluation:
    """Compute all metrics of `predictions`, which must contain a face with one of the model's
    labels.
    """
    known = predictions.with_known_label()
    truth, pictures = known.truth, known.pictures
    right = known.scores.argmax(axis=1) == truth
    exact = _threshold_at_2_percent(known)
    accuracy = accuracy_estimate(known)
    assert accuracy is not None
    ranked = _ranking_estimates(known)
    by_label = _label_estimates(known, ranked)
    return Evaluation(
        context.model,
        context.runtime,
        context.data,
        context.split,
        context.left_out,
        classification_metrics(truth, known.scores.argmax(axis=1), known.labels),
        None if context.threshold is None else alerts_at(predictions, context.threshold),
        None
        if exact is None
        else _with_threshold_redrawn(alerts_at(predictions, exact), ranked["found"]),
        chosen,
        None if chosen is None else alerts_at(predictions, chosen.threshold),
        len(np.unique(pictures)),
        accuracy,
        _macro_estimates(known, by_label),
        by_label,
        reliability(known.scores.max(axis=1), right, pictures),
        reliability(known.scores_of(ALERT_LABEL), known.is_label(ALERT_LABEL), pictures),
        slices(predictions, context.threshold),
        without_copies,
    )


def accuracy_estimate(predictions: Predictions) -> Estimate | None:
    """Return the accuracy over the faces whose label the model has, or None without such faces."""
    known = predictions.truth >= 0
    right = predictions.scores.argmax(axis=1) == predictions.truth
    return share_estimates({"": (right, known)}, predictions.pictures)[""] if known.any() else None


def alerts_at(predictions: Predictions, threshold: float) -> AlertMetrics:
    """Return the shares of faces that reach `threshold`."""
    reached = predictions.scores_of(ALERT_LABEL) >= threshold
    parts = {
        label: (reached & predictions.is_label(label), predictions.is_label(label))
        for label in ALL_LABELS
    }
    estimates = share_estimates(parts, predictions.pictures)
    flagged = {label: share for label, share in estimates.items() if share is not None}
    masked, bare = flagged.get(MASKED), flagged.get(ALERT_LABEL)
    return AlertMetrics(
        threshold,
        None if masked is None else masked.value,
        None if bare is None else bare.value,
        flagged,
    )


def masked_scores(predictions: Predictions) -> Floats:
    """Return the alert label's score of each masked face."""
    return predictions.scores_of(ALERT_LABEL)[predictions.is_label(MASKED)]


def _threshold_at_2_percent(predictions: Predictions) -> float | None:
    scores = masked_scores(predictions)
    return alert_threshold([scores], DEFAULT_FALSE_ALARMS) if len(scores) else None


def _with_threshold_redrawn(alerts: AlertMetrics, bare_flagged: Estimate | None) -> AlertMetrics:
    """Return `alerts` with `bare_flagged` as the estimate for the bare faces.

    For `bare_flagged` the threshold was chosen again in each bootstrap draw.
    """
    redrawn = {} if bare_flagged is None else {ALERT_LABEL: bare_flagged}
    return replace(alerts, flagged={**alerts.flagged, **redrawn})


def _label_estimates(
    predictions: Predictions, ranked: dict[str, Estimate | None]
) -> dict[str, LabelEstimates]:
    predicted, truth = predictions.scores.argmax(axis=1), predictions.truth
    parts = {}
    for index, label in enumerate(predictions.labels):
        is_true, predicted_as = truth == index, predicted == index
        parts[f"precision {label}"] = (is_true & predicted_as, predicted_as.astype(int))
        parts[f"recall {label}"] = (is_true & predicted_as, is_true.astype(int))
        parts[f"f1 {label}"] = (2 * (is_true & predicted_as), is_true.astype(int) + predicted_as)
    estimates = share_estimates(parts, predictions.pictures)
    return {
        label: LabelEstimates(
            estimates[f"precision {label}"],
            estimates[f"recall {label}"],
            estimates[f"f1 {label}"],
            ranked[f"auc {label}"],
            ranked[f"average precision {label}"],
            ranked[f"recall at precision {label}"],
        )
        for label in predictions.labels
    }


def _macro_estimates(
    predictions: Predictions, by_label: dict[str, LabelEstimates]
) -> MacroEstimates:
    predicted, truth = predictions.scores.argmax(axis=1), predictions.truth
    is_true = (truth[:, np.newaxis] == np.arange(len(predictions.labels))).astype(np.float32)
    predicted_as = (predicted[:, np.newaxis] == np.arange(len(predictions.labels))).astype(
        np.float32
    )

    def statistic(weights: Weights) -> dict[str, Values]:
        hits, positives, predicted_positives = (
            np.asarray(weights @ each, np.float64)
            for each in (is_true * predicted_as, is_true, predicted_as)
        )
        present = positives > 0

        def mean(of_labels: Values) -> Values:
            summed = np.where(present, np.nan_to_num(of_labels), 0).sum(axis=1)
            return ratio(summed, present.sum(axis=1).astype(np.float64))

        return {
            "precision": mean(ratio(hits, predicted_positives)),
            "recall": mean(ratio(hits, positives)),
            "f1": mean(ratio(2 * hits, positives + predicted_positives)),
        }

    estimates = bootstrap_estimates(statistic, predictions.pictures)
    each = by_label.values()
    return MacroEstimates(
        _with_mean_lower_bound(estimates["precision"], [label.precision for label in each]),
        _with_mean_lower_bound(estimates["recall"], [label.recall for label in each]),
        _with_mean_lower_bound(estimates["f1"], [label.f1 for label in each]),
    )


def _with_mean_lower_bound(mean: Estimate | None, of: list[Estimate | None]) -> Estimate | None:
    """Return `mean`; if it is exactly 1, its lower bound is the mean of the labels' lower
    bounds.
    """
    if mean is None or mean.value < 1:
        return mean
    return replace(mean, low=float(np.mean([label.low for label in of if label is not None])))


def _ranking_estimates(predictions: Predictions) -> dict[str, Estimate | None]:
    """Estimate the metrics that depend only on the order of the scores.

    These metrics are, for each label against all other labels, the areas under its curves; and, as
    `found`, the share of bare faces flagged at the threshold that 2% of the masked faces reach in
    each draw.
    """
    rankings = {
        label: Ranking(predictions.scores_of(label), predictions.is_label(label))
        for label in predictions.labels
    }
    bare, masked = predictions.is_label(ALERT_LABEL), predictions.is_label(MASKED)
    alert_ranking = Ranking(predictions.scores_of(ALERT_LABEL)[bare | masked], bare[bare | masked])

    def statistic(weights: Weights) -> dict[str, Values]:
        columns = {
            "found": recall_at(alert_ranking, weights[:, bare | masked], DEFAULT_FALSE_ALARMS)
        }
        for label, ranking in rankings.items():
            # If all faces have this label, its average precision is 1 whatever the scores are.
            nothing = np.full(len(weights), np.nan)
            columns[f"auc {label}"] = roc_auc(ranking, weights)
            columns[f"average precision {label}"] = (
                average_precision(ranking, weights) if ranking.has_both_classes else nothing
            )
            columns[f"recall at precision {label}"] = (
                recall_at_precision(ranking, weights, READ_AT_PRECISION)
                if ranking.has_both_classes
                else nothing
            )
        return columns

    estimates = bootstrap_estimates(statistic, predictions.pictures)
    at_exactly = estimates["found"]
    if at_exactly is not None:
        estimates["found"] = replace(at_exactly, count=int(bare.sum()))
    return estimates
