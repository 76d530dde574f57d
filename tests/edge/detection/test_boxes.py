"""Geometry of boxes: areas, overlaps, and non-maximum suppression."""

from __future__ import annotations

import numpy as np

from edge.detection.boxes import (
    areas,
    box_of,
    corners_of,
    intersections,
    iou_matrix,
    non_maximum_suppression,
    sizes,
)


def test_corners_and_boxes_are_inverse() -> None:
    corners = corners_of([(3, 4, 10, 20)])
    np.testing.assert_array_equal(corners, [[3, 4, 13, 24]])
    assert box_of(corners[0]) == (3, 4, 10, 20)
    assert corners_of([]).shape == (0, 4)


def test_area_of_swapped_edges_is_zero() -> None:
    corners = np.array([[0, 0, 4, 9], [5, 5, 1, 9]], np.float32)
    np.testing.assert_array_equal(areas(corners), [36, 0])
    np.testing.assert_array_equal(sizes(corners), [6, 0])


def test_overlap_of_known_boxes() -> None:
    a = corners_of([(0, 0, 10, 10)])
    b = corners_of([(0, 0, 10, 10), (5, 0, 10, 10), (20, 20, 5, 5)])
    np.testing.assert_allclose(intersections(a, b), [[100, 50, 0]])
    np.testing.assert_allclose(iou_matrix(a, b), [[1, 1 / 3, 0]], rtol=1e-6)


def test_suppression_keeps_best_of_overlapping_boxes() -> None:
    corners = corners_of([(0, 0, 10, 10), (1, 0, 10, 10), (30, 0, 10, 10), (0, 1, 10, 10)])
    scores = np.array([0.5, 0.9, 0.6, 0.7], np.float32)
    np.testing.assert_array_equal(non_maximum_suppression(corners, scores, 0.4), [1, 2])


def test_suppression_allows_overlap_up_to_limit() -> None:
    corners = corners_of([(0, 0, 10, 10), (5, 0, 10, 10)])
    scores = np.array([0.9, 0.8], np.float32)
    assert len(non_maximum_suppression(corners, scores, 0.34)) == 2
    assert len(non_maximum_suppression(corners, scores, 0.33)) == 1
    assert len(non_maximum_suppression(corners[:0], scores[:0], 0.5)) == 0
