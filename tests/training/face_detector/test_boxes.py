"""Geometry of boxes: areas, overlaps, affine maps, and non-maximum suppression."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.face_detector.boxes import (
    areas,
    box_of,
    clip,
    corners_of,
    intersections,
    iou_matrix,
    non_maximum_suppression,
    sizes,
    transform_faces,
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


def test_clip_keeps_boxes_in_picture() -> None:
    clipped = clip(corners_of([(-5, 2, 10, 10), (30, 30, 5, 5)]), 20, 8)
    np.testing.assert_array_equal(clipped, [[0, 2, 5, 8], [20, 8, 20, 8]])


def test_scaling_and_moving_maps_edges_exactly() -> None:
    matrix = np.array([[2.0, 0, 3], [0, 0.5, -1]])
    moved = transform_faces(corners_of([(1, 2, 4, 8)]), matrix)
    np.testing.assert_allclose(moved, [[5, 0, 13, 4]])


def test_mirroring_keeps_left_before_right() -> None:
    matrix = np.array([[-1.0, 0, 100], [0, 1, 0]])
    np.testing.assert_allclose(
        transform_faces(corners_of([(10, 0, 20, 5)]), matrix), [[70, 0, 90, 5]]
    )


@pytest.mark.parametrize("degrees", [10, 30, 45, 90])
def test_turned_face_is_enclosed_as_ellipse(degrees: float) -> None:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, -sin, 7], [sin, cos, -3]])
    turned = transform_faces(corners_of([(10, 20, 30, 40)]), matrix)
    around = np.linspace(0, 2 * math.pi, 3600)
    ellipse = np.stack([25 + 15 * np.cos(around), 40 + 20 * np.sin(around)], axis=1)
    points = ellipse @ matrix[:, :2].T + matrix[:, 2]
    expected = np.concatenate([points.min(axis=0), points.max(axis=0)])
    np.testing.assert_allclose(turned[0], expected, atol=1e-3)


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
