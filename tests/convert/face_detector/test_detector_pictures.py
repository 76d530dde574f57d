"""The pictures that the conversion of a face detector uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.face_detector.detector_pictures import detector_check_set, drawn_scenes, range_pictures
from edge.common.errors import UserError
from edge.detection.point_grid import InputSize
from tests.support.training.boxed_pictures import write_jsonl
from training.data.splits import Split
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures

SIZE = InputSize(160, 128)
NAMES = [f"{number}.png" for number in range(12)]


def test_drawings_are_always_the_same() -> None:
    scenes = drawn_scenes(6, SIZE)
    assert scenes.shape == (6, 128, 160, 1)
    np.testing.assert_array_equal(scenes, drawn_scenes(6, SIZE))
    assert len({scene.tobytes() for scene in scenes}) == 6


def test_no_data_gives_drawings() -> None:
    found = detector_check_set([], SIZE)
    assert found.held is None
    assert found.description == "60 drawings"
    with pytest.raises(UserError, match="no training picture"):
        range_pictures([], SIZE)


def test_splits_are_used_for_their_purpose(tmp_path: Path) -> None:
    root = write_jsonl(tmp_path / "j", {n: [((20.0, 30.0, 40.0, 50.0), "face")] for n in NAMES})
    pictures = read_boxed_pictures([root])
    found = detector_check_set(pictures, SIZE)
    test, training = of_split(pictures, Split.TEST), of_split(pictures, Split.TRAIN)
    assert found.held is not None
    assert found.pixels.shape == (len(test), 128, 160, 1)
    assert sum(int(truth.counted.sum()) for truth in found.held.truths) == len(test)
    assert range_pictures(pictures, SIZE).shape == (len(training), 128, 160, 1)
