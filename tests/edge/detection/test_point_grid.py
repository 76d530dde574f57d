"""The grid of points: its layout, the code of a box, and detections from the network's output."""

from __future__ import annotations

import numpy as np

from edge.detection.boxes import corners_of, iou_matrix
from edge.detection.point_grid import Grid, InputSize, decode_detections, point_count
from tests.support.training.box_codes import encode

GRID = Grid.of(InputSize(320, 240))


def test_levels_follow_each_other_row_by_row() -> None:
    assert len(GRID.points) == 40 * 30 + 20 * 15 + 10 * 8 == point_count(InputSize(320, 240))
    np.testing.assert_array_equal(GRID.points[:2], [[4, 4], [12, 4]])
    np.testing.assert_array_equal(GRID.points[40], [4, 12])
    np.testing.assert_array_equal(GRID.points[1200], [8, 8])
    np.testing.assert_array_equal(GRID.points[-1], [304, 240])
    assert set(GRID.strides.tolist()) == {8, 16, 32}


def test_decoding_inverts_encoding() -> None:
    rng = np.random.default_rng(0)
    reach = rng.uniform(0.1, 6, (len(GRID.points), 4)).astype(np.float32) * GRID.strides[:, None]
    boxes = np.concatenate([GRID.points - reach[:, :2], GRID.points + reach[:, 2:]], axis=1)
    np.testing.assert_allclose(GRID.decode(encode(GRID, boxes)), boxes, rtol=1e-4, atol=1e-2)


def test_detections_are_suppressed_and_sorted() -> None:
    faces = corners_of([(100, 80, 24, 24), (200, 100, 60, 80)])
    codes = np.zeros((len(GRID.points), 4), np.float32)
    logits = np.full(len(GRID.points), -8, np.float32)
    for face, score in zip(faces, (1.0, 3.0), strict=True):
        inside = ((GRID.points > face[:2]) & (GRID.points < face[2:])).all(axis=1)
        codes[inside] = encode(GRID, np.tile(face, (len(GRID.points), 1)))[inside]
        logits[inside] = score
    found = decode_detections(GRID, logits, codes, min_score=0.5)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp([-3, -1])), rtol=1e-5)
    assert (np.diag(iou_matrix(found.corners, faces[::-1])) > 0.99).all()


def test_no_point_above_the_score_gives_no_detection() -> None:
    empty = np.zeros(len(GRID.points), np.float32) - 9
    found = decode_detections(GRID, empty, np.zeros((len(GRID.points), 4), np.float32), 0.5)
    assert found.corners.shape == (0, 4)
    assert found.scores.shape == (0,)
