"""Targets: which points stand for a face, by its size and place, and which points are ignored."""

from __future__ import annotations

import numpy as np
import pytest

from edge.detection.boxes import corners_of
from edge.detection.point_grid import Grid, InputSize
from tests.support.training.box_codes import encode
from training.face_detector.targets import assign_targets

GRID = Grid.of(InputSize(320, 240))
NONE = corners_of([])


@pytest.mark.parametrize(
    ("side", "strides"), [(12, {8}), (36, {8, 16}), (60, {16}), (80, {16, 32}), (200, {32})]
)
def test_size_selects_levels(side: float, strides: set[int]) -> None:
    targets = assign_targets(GRID, corners_of([(100, 20, side, side)]), NONE)
    assert set(GRID.strides[targets.positive > 0].tolist()) == strides


def test_points_of_a_face_decode_to_its_box() -> None:
    face = corners_of([(101, 53, 30, 44)])
    targets = assign_targets(GRID, face, NONE)
    chosen = targets.positive > 0
    decoded = GRID.decode(encode(GRID, targets.corners))[chosen]
    assert chosen.sum() >= 9
    np.testing.assert_allclose(decoded, np.repeat(face, chosen.sum(), axis=0), atol=0.05)


def test_points_are_near_the_centre() -> None:
    targets = assign_targets(GRID, corners_of([(100, 100, 38, 38)]), NONE)
    chosen = (targets.positive > 0) & (GRID.strides == 8)
    assert np.abs(GRID.points[chosen] - 119).max() <= 12


def test_smaller_of_two_faces_takes_a_shared_point() -> None:
    large, small = (100, 100, 38, 38), (108, 108, 20, 20)
    for order in ((large, small), (small, large)):
        targets = assign_targets(GRID, corners_of(order), NONE)
        at_centre = np.flatnonzero((GRID.points == (116, 116)).all(axis=1))[0]
        np.testing.assert_array_equal(targets.corners[at_centre], corners_of([small])[0])


def test_narrow_face_between_points_gets_the_nearest() -> None:
    targets = assign_targets(GRID, corners_of([(101, 40, 5, 24)]), NONE)
    assert targets.positive.sum() == 1
    assert abs(GRID.points[targets.positive > 0][0] - (103.5, 52)).max() <= 8


def test_ignored_region_has_no_weight() -> None:
    targets = assign_targets(GRID, NONE, corners_of([(40, 40, 40, 40)]))
    inside = ((GRID.points > 40) & (GRID.points < 80)).all(axis=1)
    np.testing.assert_array_equal(targets.weight, np.where(inside, 0, 1))
    assert targets.positive.sum() == 0


def test_face_in_an_ignored_region_keeps_its_weight() -> None:
    targets = assign_targets(
        GRID, corners_of([(100, 100, 24, 24)]), corners_of([(50, 50, 200, 150)])
    )
    assert (targets.weight[targets.positive > 0] == 1).all()


def test_tiny_face_is_ignored() -> None:
    targets = assign_targets(GRID, corners_of([(100, 100, 8, 8)]), NONE)
    assert targets.positive.sum() == 0
    assert targets.weight[(GRID.points == (104, 104)).all(axis=1)] == 0
