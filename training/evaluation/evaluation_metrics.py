"""All figures of one model on one data set, from its answers."""

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
from training.evaluation.roc import Ranking, average_precision, recall_at, roc_auc
from training.evaluation.slices import Slice, slices

DEFAULT_FALSE_ALARMS = 0.02
MASKED = "mask"


@dataclass(frozen=True)
class EvaluationContext:
    """Which model was asked about what. `left_out`: faces of other labels than the model's,
    too small to count, or not to be decoded; `threshold` None: the model has none;
    `without_copies_of`: the data sets whose copies were looked for."""

    model: str
    runtime: str
    data: str
    split: str
    left_out: int
    threshold: float | None
    without_copies_of: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AlertMetrics:
    """Shares of the masked and of the bare faces that reach `threshold`, None where there is
    none; `flagged`: the same with intervals, by true label, others than the model's too."""

    threshold: float
    masked_flagged: float | None
    bare_flagged: float | None
    flagged: dict[str, Estimate]


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold that at most `false_alarms` of the masked faces in the validation parts of
    `data` reach, data sets counting equally."""

    threshold: float
    false_alarms: float
    data: list[str]
    masked_faces: int


@dataclass(frozen=True)
class LabelEstimates:
    """One label against the rest, each 0 to 1; None where it has no value."""

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    auc: Estimate | None
    average_precision: Estimate | None


@dataclass(frozen=True)
class MacroEstimates:
    """Means over the labels that the data set holds."""

    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True)
class WithoutCopies:
    """`accuracy` without the `copies` faces that all but repeat one in the train parts `of`."""

    of: list[str]
    copies: int
    accuracy: Estimate | None


@dataclass(frozen=True)
class Evaluation:
    """What `python -m training evaluate --json` prints of one data set."""

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
    asked: EvaluationContext,
    answers: Predictions,
    chosen: ChosenThreshold | None = None,
    without_copies: WithoutCopies | None = None,
) -> Evaluation:
    """The figures of `answers`, which hold at least one face of the model's labels."""
    counted = answers.counted()
    truth, pictures = counted.truth, counted.pictures
    right = counted.scores.argmax(axis=1) == truth
    exact = _threshold_at_2_percent(counted)
    accuracy = accuracy_estimate(counted)
    assert accuracy is not None
    ranked = _ranking_estimates(counted)
    by_label = _label_estimates(counted, ranked)
    return Evaluation(
        asked.model,
        asked.runtime,
        asked.data,
        asked.split,
        asked.left_out,
        classification_metrics(truth, counted.scores.argmax(axis=1), counted.labels),
        None if asked.threshold is None else alerts_at(answers, asked.threshold),
        None
        if exact is None
        else _with_threshold_redrawn(alerts_at(answers, exact), ranked["found"]),
        chosen,
        None if chosen is None else alerts_at(answers, chosen.threshold),
        len(np.unique(pictures)),
        accuracy,
        _macro_estimates(counted, by_label),
        by_label,
        reliability(counted.scores.max(axis=1), right, pictures),
        reliability(counted.of(ALERT_LABEL), counted.are(ALERT_LABEL), pictures),
        slices(answers, asked.threshold),
        without_copies,
    )


def accuracy_estimate(answers: Predictions) -> Estimate | None:
    """Accuracy over the faces whose label the model knows; None when there is none."""
    known = answers.truth >= 0
    right = answers.scores.argmax(axis=1) == answers.truth
    return share_estimates({"": (right, known)}, answers.pictures)[""] if known.any() else None


def alerts_at(answers: Predictions, threshold: float) -> AlertMetrics:
    """What `threshold` flags."""
    reached = answers.of(ALERT_LABEL) >= threshold
    parts = {label: (reached & answers.are(label), answers.are(label)) for label in ALL_LABELS}
    found = share_estimates(parts, answers.pictures)
    flagged = {label: share for label, share in found.items() if share is not None}
    masked, bare = flagged.get(MASKED), flagged.get(ALERT_LABEL)
    return AlertMetrics(
        threshold,
        None if masked is None else masked.value,
        None if bare is None else bare.value,
        flagged,
    )


def masked_scores(answers: Predictions) -> Floats:
    """The alert label's score of each masked face."""
    return answers.of(ALERT_LABEL)[answers.are(MASKED)]


def _threshold_at_2_percent(answers: Predictions) -> float | None:
    scores = masked_scores(answers)
    return alert_threshold([scores], DEFAULT_FALSE_ALARMS) if len(scores) else None


def _with_threshold_redrawn(alerts: AlertMetrics, found: Estimate | None) -> AlertMetrics:
    """With an interval for the bare faces in which each draw has its own threshold."""
    redrawn = {} if found is None else {ALERT_LABEL: found}
    return replace(alerts, flagged={**alerts.flagged, **redrawn})


def _label_estimates(
    answers: Predictions, ranked: dict[str, Estimate | None]
) -> dict[str, LabelEstimates]:
    said, truth = answers.scores.argmax(axis=1), answers.truth
    parts = {}
    for index, label in enumerate(answers.labels):
        true, taken = truth == index, said == index
        parts[f"precision {label}"] = (true & taken, taken.astype(int))
        parts[f"recall {label}"] = (true & taken, true.astype(int))
        parts[f"f1 {label}"] = (2 * (true & taken), true.astype(int) + taken)
    found = share_estimates(parts, answers.pictures)
    return {
        label: LabelEstimates(
            found[f"precision {label}"],
            found[f"recall {label}"],
            found[f"f1 {label}"],
            ranked[f"auc {label}"],
            ranked[f"average precision {label}"],
        )
        for label in answers.labels
    }


def _macro_estimates(answers: Predictions, by_label: dict[str, LabelEstimates]) -> MacroEstimates:
    said, truth = answers.scores.argmax(axis=1), answers.truth
    true = (truth[:, np.newaxis] == np.arange(len(answers.labels))).astype(np.float32)
    taken = (said[:, np.newaxis] == np.arange(len(answers.labels))).astype(np.float32)

    def statistic(weights: Weights) -> dict[str, Values]:
        hits, trues, takens = (
            np.asarray(weights @ each, np.float64) for each in (true * taken, true, taken)
        )
        there = trues > 0

        def mean(of_labels: Values) -> Values:
            summed = np.where(there, np.nan_to_num(of_labels), 0).sum(axis=1)
            return ratio(summed, there.sum(axis=1).astype(np.float64))

        return {
            "precision": mean(ratio(hits, takens)),
            "recall": mean(ratio(hits, trues)),
            "f1": mean(ratio(2 * hits, trues + takens)),
        }

    found = bootstrap_estimates(statistic, answers.pictures)
    each = by_label.values()
    return MacroEstimates(
        _with_mean_lower_bound(found["precision"], [label.precision for label in each]),
        _with_mean_lower_bound(found["recall"], [label.recall for label in each]),
        _with_mean_lower_bound(found["f1"], [label.f1 for label in each]),
    )


def _with_mean_lower_bound(mean: Estimate | None, of: list[Estimate | None]) -> Estimate | None:
    """Where every label is without a mistake, their mean is as sure as they are."""
    if mean is None or mean.value < 1:
        return mean
    return replace(mean, low=float(np.mean([label.low for label in of if label is not None])))


def _ranking_estimates(answers: Predictions) -> dict[str, Estimate | None]:
    """Figures of the ranking by score: each label against the rest, and alerts at exactly 2%
    of the masked faces, `found`."""
    rankings = {label: Ranking(answers.of(label), answers.are(label)) for label in answers.labels}
    bare, masked = answers.are(ALERT_LABEL), answers.are(MASKED)
    doors = Ranking(answers.of(ALERT_LABEL)[bare | masked], bare[bare | masked])

    def statistic(weights: Weights) -> dict[str, Values]:
        columns = {"found": recall_at(doors, weights[:, bare | masked], DEFAULT_FALSE_ALARMS)}
        for label, ranking in rankings.items():
            # Against nothing, a label's average precision is 1 whatever its scores are.
            nothing = np.full(len(weights), np.nan)
            columns[f"auc {label}"] = roc_auc(ranking, weights)
            columns[f"average precision {label}"] = (
                average_precision(ranking, weights) if ranking.both else nothing
            )
        return columns

    found = bootstrap_estimates(statistic, answers.pictures)
    at_exactly = found["found"]
    if at_exactly is not None:
        found["found"] = replace(at_exactly, count=int(bare.sum()))
    return found
