"""Clips played with several detectors."""

from __future__ import annotations

import dataclasses

import cv2
import pytest

from edge.bench.alert_agreement import agreement
from edge.classification.classifier import Classifier
from edge.common.paths import demo_clip, shipped_model
from training.detector_sweep.clips import play_clips
from training.detector_sweep.grid import (
    shipped,
)


def test_overlapping_alerts_agree() -> None:
    assert agreement([(1.2, 3.0), (8.0, 9.0)], [(1.0, 3.0), (5.0, 6.0)]) == (pytest.approx(0.2),)
    assert agreement([], [(1.0, 2.0)]) == ()
    # One long alert agrees with only one of the two short alerts that it overlaps with.
    assert len(agreement([(1.0, 9.0)], [(1.0, 3.0), (5.0, 9.0)])) == 1


@pytest.mark.slow
def test_demo_people_are_found_and_blind_detector_finds_none() -> None:
    shipped_configuration = shipped()
    blind = dataclasses.replace(
        shipped_configuration,
        search=dataclasses.replace(shipped_configuration.search, min_face=0.9),
    )
    classifier = Classifier(shipped_model(), two_labels=True)
    played, (thorough,) = play_clips(
        [demo_clip()], [shipped_configuration, blind], shipped_configuration, classifier, 5.0
    )
    (saw,), (blinded,) = played[shipped_configuration], played[blind]
    # The clip shows a person without a mask, a person with a mask, and a person who puts a mask on.
    assert len(thorough.sights) == 3
    assert (thorough.starts, thorough.lost, thorough.added) == (2, 0, 0)
    assert thorough.false_boxes <= 1  # a doubtful box, with little weight
    assert all(s.late_s == 0.0 and s.share == 1.0 for s in thorough.sights)
    assert (saw.starts, saw.lost, saw.added) == (2, 0, 0)
    assert all(s.late_s is not None and 0 <= s.late_s <= 0.4 for s in saw.sights)
    assert all(s.share == 1.0 for s in saw.sights)
    assert (blinded.starts, blinded.lost, blinded.added) == (0, 2, 0)
    assert {(s.late_s, s.share) for s in blinded.sights} == {(None, 0.0)}
    assert cv2.getNumThreads() > 0
