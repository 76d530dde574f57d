"""The shipped model in the real runtime of this machine, on real faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.classification.classifier import Classifier
from edge.common.arrays import Pixels
from edge.common.paths import demo_clip, shipped_model
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import HaarDetector

BARE_AT_S, MASKED_AT_S = (4.0, 5.0, 20.0), (12.5, 13.5, 24.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(shipped_model())


def moment(at_s: float) -> Pixels:
    capture = cv2.VideoCapture(str(demo_clip()))
    capture.set(cv2.CAP_PROP_POS_MSEC, at_s * 1000)
    return np.asarray(capture.read()[1], np.uint8)


@pytest.mark.parametrize(
    ("at_s", "label"),
    [(t, "no_mask") for t in BARE_AT_S] + [(t, "mask") for t in MASKED_AT_S],
)
def test_faces_of_the_demo_clip(classifier: Classifier, at_s: float, label: str) -> None:
    frame = moment(at_s)
    (face,) = HaarDetector(DetectorSettings()).find(frame)
    scores = classifier.classify(frame[:, :, ::-1], face.box_px)
    assert scores.label == label
    assert scores.score > 0.7
    assert sum(scores.by_label.values()) == pytest.approx(1.0, abs=0.02)


def test_the_order_of_colours_matters_to_it(classifier: Classifier) -> None:
    """A frame handed over as BGR by mistake would go unnoticed if scores were the same."""
    frame = moment(BARE_AT_S[0])
    (face,) = HaarDetector(DetectorSettings()).find(frame)
    right = classifier.classify(frame[:, :, ::-1], face.box_px)
    wrong = classifier.classify(frame, face.box_px)
    assert right.by_label != wrong.by_label


def test_the_same_pixels_give_the_same_scores(classifier: Classifier) -> None:
    crop = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    first = classifier.classify_crop(crop)
    classifier.classify_crop(255 - crop)
    assert classifier.classify_crop(crop) == first
