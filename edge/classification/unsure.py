"""Readings that say nothing about a face: it may be the back of a head, half a face, or no face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.classification.answer import Answer
from edge.classification.classifier import Scores, alert_threshold
from edge.config.settings import EventSettings

#: What is shown instead of the label of such a reading, and the name of its count of people.
UNSURE = "unsure"


@dataclass(frozen=True)
class UnsureRule:
    """Decides which scores say nothing about a face.

    `min_scores` has, by label, the score from which on a reading with this label is sure; labels
    that it lacks are always sure. Scores that reach the alert `threshold`, all labels of `alert_on`
    together, are sure in any case, so that a configured threshold applies as it is.
    """

    alert_on: tuple[str, ...]
    threshold: float
    min_scores: Mapping[str, float] = field(default_factory=dict)

    def alerts(self, scores: Scores) -> bool:
        """Return whether `scores` reach the alert threshold."""
        return scores.total(self.alert_on) >= self.threshold

    def is_unsure(self, scores: Scores) -> bool:
        """Return whether `scores` say nothing about the face."""
        return not self.alerts(scores) and scores.score < self.min_scores.get(scores.label, 0.0)

    def label(self, scores: Scores) -> str:
        """Return the label of a face that was classified once, such as one in a still image.

        It has one of `alert_on` if, and only if, its scores would raise an alert: the one of them
        with the highest score. Any other face has its label with the highest score, or `UNSURE` if
        that is one of `alert_on`, or if its scores say nothing.
        """
        if self.alerts(scores):
            return max(self.alert_on, key=lambda label: scores.by_label.get(label, 0.0))
        if scores.label in self.alert_on or self.is_unsure(scores):
            return UNSURE
        return scores.label


def unsure_rule(settings: EventSettings, answer: Answer) -> UnsureRule:
    """Return the rule of a model; with a card of an earlier version nothing is unsure."""
    min_scores = {} if answer.unsure is None else answer.unsure.scores
    return UnsureRule(settings.alert_on, alert_threshold(settings, answer), min_scores)
