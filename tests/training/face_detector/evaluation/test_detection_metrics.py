"""Metrics of a detector, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge.common.arrays import Box
from edge.detection.boxes import corners_of
from edge.detection.point_grid import Detections
from training.face_detector.evaluation.detection_metrics import (
    FaceTruth,
    ScoredHits,
    average_precision,
    estimate,
    match_all,
    match_picture,
    precision_recall,
    threshold_at,
)

A, B, C = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 10.0, 10.0), (0.0, 50.0, 40.0, 40.0)


def _found(*pairs: tuple[Box, float]) -> Detections:
    return Detections(
        corners_of([box for box, _ in pairs]), np.array([s for _, s in pairs], np.float32)
    )


def _truth(
    *faces: Box, ignored: tuple[Box, ...] = (), uncounted: tuple[int, ...] = ()
) -> FaceTruth:
    counted = np.array([index not in uncounted for index in range(len(faces))], np.bool_)
    return FaceTruth(corners_of(faces), corners_of(ignored), counted)


def _hits(scores: list[float], hits: list[int], faces: list[int]) -> ScoredHits:
    picture = np.arange(len(scores)) % len(faces)
    return ScoredHits(
        np.array(scores, np.float32),
        np.array(hits, np.bool_),
        picture.astype(np.int64),
        np.ones(len(scores), np.bool_),
        np.array(faces, np.int64),
    )


def test_second_box_of_a_face_is_false() -> None:
    match = match_picture(_found((A, 0.6), (A, 0.9), (B, 0.5)), _truth(A), 0.5)
    np.testing.assert_array_equal(match.hits, [False, True, False])
    np.testing.assert_allclose(match.face, [0.9])


def test_missed_face_has_no_score() -> None:
    match = match_picture(_found((A, 0.6)), _truth(A, B), 0.5)
    assert np.isnan(match.face[1])


@pytest.mark.parametrize(("shift", "hit"), [(3.3, True), (3.4, False)])
def test_overlap_decides_about_a_hit(shift: float, hit: bool) -> None:
    # Two boxes of 10 px, one shifted by x px, have an IoU of (10 - x) / (10 + x), so a shift of
    # 3.33 px gives an IoU of 0.5.
    match = match_picture(_found(((shift, 0.0, 10.0, 10.0), 0.6)), _truth(A), 0.5)
    assert match.hits.tolist() == [hit]


def test_ignored_regions_and_uncounted_faces_absorb_boxes() -> None:
    truth = _truth(A, B, ignored=(C,), uncounted=(1,))
    inside_c = (5.0, 55.0, 10.0, 10.0)
    match = match_picture(_found((A, 0.9), (B, 0.8), (inside_c, 0.7)), truth, 0.5)
    np.testing.assert_allclose(match.scores, [0.9])
    assert match.hits.all()


def test_average_precision_of_known_order() -> None:
    # There are 4 faces, and 3 boxes by falling score: a hit, a false box, and a hit. The precision
    # is 1 up to a recall of 1/4, and 2/3 up to a recall of 2/4.
    found = _hits([0.9, 0.8, 0.7], [1, 0, 1], [2, 2])
    assert average_precision(found) == pytest.approx(0.25 + 0.25 * 2 / 3)


def test_equal_scores_are_one_step() -> None:
    for hits in ([1, 0], [0, 1]):
        assert average_precision(_hits([0.5, 0.5], hits, [1])) == pytest.approx(0.5)


def test_average_precision_without_faces_or_detections() -> None:
    assert np.isnan(average_precision(_hits([0.5], [0], [0])))
    assert average_precision(_hits([], [], [3])) == 0


def test_false_box_of_another_size_does_not_lower_precision() -> None:
    truth = FaceTruth(corners_of([A]), corners_of([]), np.array([True]), (8.0, 16.0))
    found = match_all([_found((A, 0.5), (C, 0.9))], [truth], 0.5)
    assert average_precision(found) == 1
    assert estimate(found, resamples=10)["recall_at_1"].value == 0  # type: ignore[union-attr]


def test_curve_and_threshold() -> None:
    found = _hits([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], [2, 2])
    curve = precision_recall(found)
    np.testing.assert_allclose(curve.recall, [0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(curve.precision, [1, 0.5, 2 / 3, 0.5])
    np.testing.assert_allclose(curve.false_boxes, [0, 0.5, 0.5, 1])
    assert threshold_at(found, 1) == pytest.approx(0.9)
    assert threshold_at(found, 50) == pytest.approx(0.7)
    assert threshold_at(_hits([0.9], [0], [1]), 1) == float("inf")


def test_recall_at_false_boxes_has_an_interval() -> None:
    # 100 pictures with a face each; 60 faces score higher than the 5 false boxes, 30 lower.
    scores = np.linspace(1, 0.1, 95)
    hits = [1] * 60 + [0] * 5 + [1] * 30
    found = _hits(scores.tolist(), hits, [1] * 100)
    estimates = estimate(found, resamples=200)
    one, three, ten = (estimates[f"recall_at_{number}"] for number in (1, 3, 10))
    assert one is not None
    assert three is not None
    assert ten is not None
    assert (one.value, three.value, ten.value) == (0.6, 0.6, 0.9)
    assert one.low < 0.6 < one.high
    assert ten.count == 100


def test_estimates_without_faces_are_none() -> None:
    assert set(estimate(_hits([0.5], [0], [0]), resamples=10).values()) == {None}
