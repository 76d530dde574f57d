"""Evaluation of detections in drawn pictures: groups of faces, and misses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from edge.detection.boxes import corners_of
from edge.detection.point_grid import Detections
from tests.support.training import datasets
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.evaluation.detector_evaluation import (
    EvaluationPicture,
    evaluate_detections,
    evaluation_pictures,
    missed_faces,
)
from training.face_detector.pictures.read_pictures import read_boxed_pictures

SMALL, LARGE, NARROW = (10.0, 10.0, 16.0, 20.0), (60.0, 30.0, 60.0, 70.0), (140.0, 5.0, 8.0, 10.0)
EMPTY = Detections(corners_of([]), np.zeros(0, np.float32))


def _found(*boxes: Box) -> Detections:
    scores = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
    return Detections(corners_of(boxes), scores)


@pytest.fixture
def pictures(tmp_path: Path) -> list[EvaluationPicture]:
    """Return two pictures of 320x240 pixels with two faces each, of which one is masked."""
    faces = [(SMALL, "with_mask"), (LARGE, "face"), (NARROW, "face")]
    root = write_jsonl(tmp_path / "j", {"a.png": faces, "b.png": faces}, (320, 240))
    return evaluation_pictures(read_boxed_pictures([root]), min_width_px=12)


def test_faces_are_counted_by_group(pictures: list[EvaluationPicture]) -> None:
    evaluation = evaluate_detections("x", [_found(LARGE), _found(LARGE, SMALL)], pictures, 20)
    faces = {name: group.faces for name, group in evaluation.groups.items()}
    assert faces == {"all": 4, "12 to 24 px": 2, "48 to 96 px": 2, "masked": 2}
    recall = {
        name: each.value
        for name, group in evaluation.groups.items()
        if (each := group.figures["recall_at_10"]) is not None
    }
    assert recall == {"all": 0.75, "12 to 24 px": 0.5, "48 to 96 px": 1.0, "masked": 0.5}
    assert evaluation.thresholds[1] == pytest.approx(0.5)


def test_narrow_face_is_neither_missed_nor_false(pictures: list[EvaluationPicture]) -> None:
    found = [_found(LARGE, SMALL, NARROW)] * 2
    evaluation = evaluate_detections("x", found, pictures, 20)
    estimate = evaluation.groups["all"].figures["ap_0.5"]
    assert estimate is not None
    assert estimate.value == 1
    assert missed_faces(found, pictures, 0.5) == []


def test_misses_are_listed_largest_first(pictures: list[EvaluationPicture]) -> None:
    assert missed_faces([_found(SMALL), EMPTY], pictures, 0.5) == [(1, 1), (0, 1), (1, 0)]
    assert missed_faces([_found(SMALL), EMPTY], pictures, 0.95)[-1] == (0, 0)


def test_size_is_that_in_the_searched_picture(tmp_path: Path) -> None:
    root = write_jsonl(tmp_path / "j", {"a.png": [(LARGE, "face")]}, (640, 240))
    (picture,) = evaluation_pictures(read_boxed_pictures([root]), 12)
    evaluation = evaluate_detections("x", [_found(LARGE)], [picture], 20)
    assert picture.scale == 0.5
    assert "24 to 48 px" in evaluation.groups


def test_dark_face_is_a_group(tmp_path: Path) -> None:
    root = write_jsonl(tmp_path / "j", {"a.png": [(LARGE, "face")]}, (320, 240))
    datasets.save(root / "images" / "a.png", np.full((240, 320, 3), 20, np.uint8))
    (picture,) = evaluation_pictures(read_boxed_pictures([root]), 12)
    assert evaluate_detections("x", [EMPTY], [picture], 20).groups["dark"].faces == 1
