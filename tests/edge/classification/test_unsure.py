from __future__ import annotations

from pathlib import Path

import pytest

from edge.classification.classifier import Classifier, Scores
from edge.classification.unsure import UNSURE, UnsureRule, unsure_rule
from edge.config.settings import Settings, change
from tests.support.models.unsure_models import write_model

RULE = UnsureRule(("no_mask",), 0.9, {"mask": 0.95, "no_mask": 0.9})


@pytest.mark.parametrize(
    ("no_mask", "label"),
    [
        (0.0, "mask"),
        (0.05, "mask"),
        (0.06, UNSURE),
        (0.5, UNSURE),
        (0.89, UNSURE),
        (0.9, "no_mask"),
    ],
)
def test_reading_below_the_score_of_its_label_is_unsure(no_mask: float, label: str) -> None:
    scores = Scores({"mask": 1 - no_mask, "no_mask": no_mask})
    assert RULE.label(scores) == label
    assert RULE.is_unsure(scores) == (label == UNSURE)


def test_reading_that_reaches_a_configured_threshold_is_sure() -> None:
    lower = UnsureRule(("no_mask",), 0.6, RULE.min_scores)
    assert lower.label(Scores({"mask": 0.4, "no_mask": 0.6})) == "no_mask"
    assert lower.label(Scores({"mask": 0.41, "no_mask": 0.59})) == UNSURE


def test_scores_of_all_alert_labels_count_together() -> None:
    rule = UnsureRule(("no_mask", "incorrect_mask"), 0.9, dict.fromkeys(("no_mask", "mask"), 0.9))
    assert rule.label(Scores({"mask": 0.1, "no_mask": 0.5, "incorrect_mask": 0.4})) == "no_mask"
    assert rule.label(Scores({"mask": 0.2, "no_mask": 0.5, "incorrect_mask": 0.3})) == UNSURE


def test_label_follows_the_alert_threshold_and_not_the_highest_score() -> None:
    lower = UnsureRule(("no_mask",), 0.4)
    assert lower.label(Scores({"mask": 0.55, "no_mask": 0.45})) == "no_mask"
    higher = UnsureRule(("no_mask",), 0.95)
    assert higher.label(Scores({"mask": 0.1, "no_mask": 0.9})) == UNSURE
    assert higher.label(Scores({"mask": 0.6, "no_mask": 0.4})) == "mask"
    # Such a reading still counts as evidence of a track, whose median may reach the threshold.
    assert not higher.is_unsure(Scores({"mask": 0.1, "no_mask": 0.9}))
    both = UnsureRule(("no_mask", "incorrect_mask"), 0.5)
    scores = Scores({"mask": 0.4, "no_mask": 0.25, "incorrect_mask": 0.35})
    assert both.label(scores) == "incorrect_mask"


def test_rule_has_the_scores_of_the_card(tmp_path: Path) -> None:
    settings = change(Settings(), events={"alert_threshold": 0.7}).events
    model = write_model(tmp_path / "m.tflite", {"mask": 0.95, "no_mask": 0.9})
    answer = Classifier(model, two_labels=True).answer
    assert unsure_rule(settings, answer) == UnsureRule(("no_mask",), 0.7, RULE.min_scores)


def test_nothing_is_unsure_with_a_card_of_an_earlier_version(tmp_path: Path) -> None:
    answer = Classifier(write_model(tmp_path / "m.tflite", None), two_labels=True).answer
    rule = unsure_rule(Settings().events, answer)
    assert rule.label(Scores({"mask": 0.5001, "no_mask": 0.4999})) == "mask"
