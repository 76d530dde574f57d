"""The detector that is run on training pictures to find boxes without a face."""

from __future__ import annotations

import numpy as np

from tests.support.training import datasets
from training.data.detector_simulation import (
    intersection_over_union,
)
from training.data.face_boxes import find_empty_boxes


def test_empty_boxes_avoid_faces() -> None:
    faces = [(40.0, 40.0, 120.0, 120.0)]
    rng = np.random.default_rng(0)
    found = find_empty_boxes(datasets.pattern(400), faces, rng, at_most=8)
    assert 0 < len(found) <= 8
    assert all(intersection_over_union(box, faces[0]) < 0.1 for box in found)
