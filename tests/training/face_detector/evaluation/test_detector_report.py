"""Reports on detectors: the table, the record, the plots, and the contact sheet of misses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from edge.detection.boxes import corners_of
from edge.detection.point_grid import Detections
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.evaluation.detector_evaluation import (
    EvaluationPicture,
    evaluate_detections,
    evaluation_pictures,
)
from training.face_detector.evaluation.detector_report import (
    report_lines,
    report_record,
    write_misses,
    write_plots,
)
from training.face_detector.pictures.read_pictures import read_boxed_pictures

SMALL, LARGE = (10.0, 10.0, 16.0, 20.0), (60.0, 30.0, 60.0, 70.0)
EMPTY = Detections(corners_of([]), np.zeros(0, np.float32))


def _found(box: Box) -> Detections:
    return Detections(corners_of([box]), np.array([0.9], np.float32))


@pytest.fixture
def pictures(tmp_path: Path) -> list[EvaluationPicture]:
    """Return two pictures of 320x240 pixels with two faces each, of which one is masked."""
    faces = [(SMALL, "with_mask"), (LARGE, "face")]
    root = write_jsonl(tmp_path / "j", {"a.png": faces, "b.png": faces}, (320, 240))
    return evaluation_pictures(read_boxed_pictures([root]), min_width_px=12)


def test_table_and_record_hold_the_figures(pictures: list[EvaluationPicture]) -> None:
    evaluation = evaluate_detections("x", [_found(LARGE), EMPTY], pictures, 20)
    text = "\n".join(report_lines(evaluation))
    assert "x: 2 pictures" in text
    assert "masked" in text
    assert "0.250" in text
    record = json.loads(json.dumps(report_record(evaluation)))
    assert record["groups"]["all"]["recall_at_3"]["value"] == 0.25
    assert record["thresholds"]["3"] == pytest.approx(0.9)


def test_detector_without_detections_has_figures(pictures: list[EvaluationPicture]) -> None:
    evaluation = evaluate_detections("x", [EMPTY, EMPTY], pictures, 20)
    record = report_record(evaluation)
    assert record["thresholds"]["1"] is None
    assert record["groups"]["all"]["ap_0.5"]["value"] == 0


def test_plots_and_contact_sheet_are_written(
    pictures: list[EvaluationPicture], tmp_path: Path
) -> None:
    evaluations = [
        evaluate_detections(name, found, pictures, 20)
        for name, found in (("a", [_found(LARGE), EMPTY]), ("b", [EMPTY, EMPTY]))
    ]
    for path in write_plots(tmp_path / "out", evaluations):
        assert path.read_bytes().startswith(b"\x89PNG")
    write_misses(tmp_path / "m.png", [(0, 0), (1, 1)], pictures)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
