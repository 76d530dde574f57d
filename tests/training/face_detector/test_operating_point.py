"""The thresholds and the box convention in a face detector's card."""

from __future__ import annotations

import numpy as np
import pytest

from edge.config.settings import DetectorSettings
from edge.detection.boxes import corners_of
from edge.detection.haar_detector import HaarDetector
from edge.detection.point_grid import Detections
from tests.support.footage.demo_frames import demo_frame_with_a_face
from training.face_detector.evaluation.detection_metrics import FaceTruth
from training.face_detector.operating_point import (
    MAX_SCORE,
    MIN_SCORE,
    SHIPPED_BOX,
    cascade_boxes,
    choose_thresholds,
    measure_box_convention,
)

FACE = corners_of([(100, 80, 30, 40)])
NONE = corners_of([])
TRUTH = FaceTruth(FACE, NONE, np.array([True]))
EMPTY = FaceTruth(NONE, NONE, np.zeros(0, np.bool_))


def detections(score: float, box: np.ndarray = FACE) -> Detections:  # type: ignore[type-arg]
    return Detections(box, np.array([score], np.float32))


def test_thresholds_allow_the_wanted_false_boxes() -> None:
    """In 200 pictures with a false box each, 50 may be above `score`, and 10 above `sure`."""
    scores = np.round(0.2 + 0.003 * np.arange(200), 3)
    found = [detections(float(score)) for score in scores] + [detections(0.85)]
    chosen = choose_thresholds(found, [EMPTY] * 200 + [TRUTH])
    assert (scores >= chosen.score - 1e-6).sum() == 50
    assert (scores >= chosen.sure - 1e-6).sum() == 10
    assert "25 and 5 false boxes in 100 pictures, on 201 validation pictures" in chosen.chosen


@pytest.mark.parametrize("score", [0.001, 0.9999])
def test_thresholds_stay_within_limits(score: float) -> None:
    chosen = choose_thresholds([detections(score)], [TRUTH])
    assert MIN_SCORE <= chosen.score < chosen.sure <= MAX_SCORE


def test_box_convention_is_the_median_ratio() -> None:
    squares = corners_of([(95, 80, 40, 40)])
    found = measure_box_convention([(FACE, squares)] * 30)
    assert found.side == pytest.approx(40 / np.sqrt(30 * 40), abs=1e-3)
    assert "30 faces" in found.measured


def test_too_few_faces_give_the_shipped_convention() -> None:
    assert measure_box_convention([(FACE, FACE)] * 3) == SHIPPED_BOX
    assert measure_box_convention([(FACE, corners_of([(0, 0, 9, 9)]))] * 50) == SHIPPED_BOX


def test_cascade_searches_the_grey_picture() -> None:
    image = demo_frame_with_a_face()
    grey = image.mean(axis=2, keepdims=True).astype(np.uint8)
    cascade = HaarDetector(DetectorSettings())
    (luma,), (rgb,) = cascade_boxes(grey, cascade), cascade_boxes(image, cascade)
    np.testing.assert_allclose(luma, rgb, atol=3)
