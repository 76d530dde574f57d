from __future__ import annotations

import math

import pytest

from edge.classification.classifier import Scores
from edge.common.arrays import Box
from edge.tracking.track import Reading, Track

BOX: Box = (10.0, 10.0, 50.0, 50.0)


def reading(mask: float, no_mask: float, at_s: float = 0.0, weight: float = 1.0) -> Reading:
    return Reading(BOX, Scores({"mask": mask, "no_mask": no_mask}), at_s, weight)


def track(*evidence: Reading) -> Track:
    return Track(1, BOX, 0.0, 1.0, evidence, len(evidence))


def test_score_of_a_reading_sums_the_labels() -> None:
    one = reading(0.3, 0.6)
    assert one.score(["no_mask", "mask"]) == pytest.approx(0.9)
    assert one.score(["no_mask", "incorrect_mask"]) == 0.6  # the model has no label incorrect_mask


def test_unclassified_reading_has_no_score() -> None:
    with pytest.raises(ValueError, match="not classified"):
        Reading(BOX, None, 0.0).score(["no_mask"])


def test_score_of_a_track_is_the_weighted_median() -> None:
    assert track(reading(0.9, 0.1), reading(0.2, 0.8), reading(0.1, 0.9)).score(["no_mask"]) == 0.8
    poor = [reading(0.9, 0.1, weight=0.2) for _ in range(6)]
    assert track(*poor, reading(0.1, 0.9), reading(0.1, 0.9)).score(["no_mask"]) == 0.9


def test_label_has_the_largest_median() -> None:
    bare = track(reading(0.6, 0.4), reading(0.2, 0.8), reading(0.1, 0.9))
    assert bare.label() == "no_mask"
    assert bare.label(among=["mask"]) == "mask"


def test_weights_are_compared_with_a_tolerance() -> None:
    tenths = track(*(reading(0.5, 0.5, weight=0.1) for _ in range(10)))
    assert tenths.weight < 1.0  # a rounding error of floating-point addition
    assert tenths.has_weight(1.0)
    assert not tenths.has_weight(1.1)


def test_track_without_evidence_has_no_label() -> None:
    empty = track()
    assert (empty.readings, empty.weight, empty.labels) == (0, 0, ())
    assert empty.last_evidence_s == -math.inf
    with pytest.raises(ValueError, match="no readings"):
        empty.score(["no_mask"])
