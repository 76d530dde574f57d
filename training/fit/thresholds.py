"""The thresholds of a trained model, chosen on pictures that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.classification.model_card import TWO_LABELS, Thresholds
from training.fit.alert_threshold import choose_alert
from training.fit.held_out_scores import HeldOutScores, held_out_scores
from training.fit.prepare import HeldOut
from training.fit.unsure_scores import choose_unsure


@dataclass(frozen=True)
class ModelThresholds:
    """The thresholds of each answer of a model.

    `all_labels`: those of the answer with all its labels. `two_labels`: those of the answer with
    `TWO_LABELS`, or None if the model has no other labels.
    """

    all_labels: Thresholds
    two_labels: Thresholds | None

    def report_fields(self) -> dict[str, Any]:
        """Return these thresholds as fields of `training.network.model_report.Report`."""
        return {
            "threshold": self.all_labels.alert.threshold,
            "threshold_chosen": self.all_labels.alert.chosen,
            "unsure": self.all_labels.unsure,
            "two_labels": self.two_labels,
        }


def choose_thresholds(network: Any, held_out: HeldOut, labels: tuple[str, ...]) -> ModelThresholds:
    """Choose the thresholds of `network`, a Keras model with these `labels`, on `held_out`."""
    scores = held_out_scores(network, held_out, labels)
    has_more = len(labels) > len(TWO_LABELS)
    return ModelThresholds(_chosen(scores), _chosen(scores.among(TWO_LABELS)) if has_more else None)


def _chosen(scores: HeldOutScores) -> Thresholds:
    alert = choose_alert(scores)
    return Thresholds(alert=alert, unsure=choose_unsure(scores, alert.threshold))
