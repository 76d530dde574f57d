"""The parity gate of the face detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convert.face_detector.detector_parity import Outputs, check_detector_parity, compare_outputs
from edge.common.errors import UserError
from edge.detection.point_grid import Grid, InputSize

GRID = Grid.of(InputSize(160, 128))
POINTS = len(GRID.points)


def outputs(faces: int = 5) -> Outputs:
    """Return the outputs for two pictures with `faces` sure points in each."""
    logits = np.full((2, POINTS), -6, np.float32)
    logits[:, :faces] = 3.0
    codes = np.zeros((2, POINTS, 4), np.float32)
    codes[..., 2:] = 1.0
    return Outputs(logits, codes)


def test_equal_outputs_pass() -> None:
    found = compare_outputs(GRID, outputs(), outputs())
    assert (found.background, found.distance, found.points) == (0, 0, 10)
    assert found.iou == pytest.approx(1)
    check_detector_parity(found, "int8")


def test_pictures_without_a_face_can_be_compared() -> None:
    found = compare_outputs(GRID, outputs(0), outputs(0))
    assert (found.points, found.distance, found.iou) == (0, 0, 1)


def test_lost_faces_are_refused() -> None:
    missing = outputs(0)
    found = compare_outputs(GRID, outputs(), missing)
    assert found.distance > 0.9
    with pytest.raises(UserError, match="the int8 face detector is not written"):
        check_detector_parity(found, "int8")


def test_moved_boxes_are_refused() -> None:
    moved = outputs()
    moved.codes[..., 0] += 0.6
    found = compare_outputs(GRID, outputs(), moved)
    assert found.distance == 0
    assert found.iou < 0.75
    with pytest.raises(UserError, match=r"mean IoU of 0\.\d+"):
        check_detector_parity(found, "float16")


def test_false_faces_everywhere_are_refused() -> None:
    noisy = replace(outputs(), logits=outputs().logits + 2.0)
    found = compare_outputs(GRID, outputs(), noisy)
    assert found.background > 0.01
    with pytest.raises(UserError, match="off on average"):
        check_detector_parity(found, "int8")


def test_not_a_number_is_refused() -> None:
    broken = replace(outputs(), logits=np.full_like(outputs().logits, np.nan))
    with pytest.raises(UserError, match="is not written"):
        check_detector_parity(compare_outputs(GRID, outputs(), broken), "int8")
