"""Turned copies of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Pixels
from edge.detection.boxes import corners_of
from edge.detection.point_grid import Detections
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.evaluation.detector_evaluation import (
    EvaluationPicture,
    add_groups,
    evaluate_detections,
    evaluation_pictures,
)
from training.face_detector.evaluation.tilted_pictures import find_tilted, turn
from training.face_detector.pictures.read_pictures import read_boxed_pictures

# A face in the middle of a picture of 160x120 pixels, and one at its upper left corner.
FACES = [((65.0, 40.0, 30.0, 40.0), "face"), ((2.0, 2.0, 20.0, 24.0), "face")]


@pytest.fixture
def pictures(tmp_path: Path) -> list[EvaluationPicture]:
    root = write_jsonl(tmp_path / "j", {"a.png": FACES, "b.png": FACES})
    return evaluation_pictures(read_boxed_pictures([root]), 10.0)


def test_face_in_the_middle_stays_and_one_at_the_corner_does_not_count(
    pictures: list[EvaluationPicture],
) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 65:95] = 255
    for degrees in (90, -90):
        turned, truth = turn(pictures[0], image, degrees)
        np.testing.assert_allclose(truth.faces[0], corners_of([(60, 45, 40, 30)])[0], atol=1e-4)
        assert (turned[46:74, 62:98] > 200).all()
        assert truth.counted.tolist() == [True, False]
    unturned, truth = turn(pictures[0], image, 0)
    np.testing.assert_array_equal(unturned, image)
    assert truth.counted.tolist() == [True, True]


class Middle:
    """A detector that always finds a face in the middle."""

    name = "middle"

    def find(self, image_bgr: Pixels) -> Detections:
        return Detections(corners_of([(62, 42, 36, 36)]), np.ones(1, np.float32))


def test_figures_of_each_tilt_are_groups(pictures: list[EvaluationPicture]) -> None:
    detector = Middle()
    found = [detector.find(np.zeros((120, 160, 3), np.uint8)) for _ in pictures]
    upright = evaluate_detections(detector.name, found, pictures, 50)
    tilted = find_tilted(detector, pictures, [30, 60])
    groups = {f"{each.degrees:g}": (each.found, each.truths) for each in tilted}
    figures = add_groups(upright, groups, 50).groups
    assert figures["all"].faces == 4
    for name in ("30", "60"):
        assert figures[name].faces == 2
        estimate = figures[name].figures["recall_at_1"]
        assert estimate is not None
        assert estimate.value == 1.0
