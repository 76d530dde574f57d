"""Boxes of faces when a picture is scaled, turned, or cut."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.detection.boxes import corners_of
from training.face_detector.views.box_maps import clip, transform_faces


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
