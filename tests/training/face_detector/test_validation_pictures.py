"""Validation pictures: letterboxed with their faces, and figures of a model on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.detection.boxes import corners_of
from edge.detection.point_grid import Detections, InputSize, decode_detections
from tests.support.training.box_codes import encode
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.pictures.read_pictures import read_boxed_pictures
from training.face_detector.validation_pictures import (
    ValidationPictures,
    read_validation_pictures,
)

LARGE, TINY = (40.0, 30.0, 40.0, 50.0), (1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def held(tmp_path: Path) -> ValidationPictures:
    """Return one picture of 160x120 pixels, enlarged to twice that size."""
    root = write_jsonl(tmp_path / "j", {"a.png": [(LARGE, "face"), (TINY, "face")]})
    return read_validation_pictures(read_boxed_pictures([root]), InputSize(320, 240))


def test_faces_are_scaled_with_the_picture(held: ValidationPictures) -> None:
    assert held.pixels.shape == (1, 240, 320, 1)
    np.testing.assert_allclose(held.truths[0].faces[0], corners_of([(80, 60, 80, 100)])[0])


def test_tiny_face_is_not_counted(held: ValidationPictures) -> None:
    assert held.truths[0].counted.tolist() == [True, False]


def _found(held: ValidationPictures, face: Any) -> list[Detections]:
    """Return what a model finds whose outputs at all points inside of `face` describe it."""
    inside = ((held.grid.points > face[:2]) & (held.grid.points < face[2:])).all(axis=1)
    codes = encode(held.grid, np.tile(face, (len(inside), 1)))
    return [decode_detections(held.grid, np.where(inside, 3.0, -9.0), codes, 0.1)]


def test_figures_of_right_and_wrong_boxes(held: ValidationPictures) -> None:
    right = held.figures_of(_found(held, held.truths[0].faces[0]))
    wrong = held.figures_of(_found(held, corners_of([(200, 100, 60, 60)])[0]))
    assert right == {"score": 1, "recall_at_1": 1, "recall_at_3": 1, "recall_at_10": 1}
    assert set(wrong.values()) == {0}
