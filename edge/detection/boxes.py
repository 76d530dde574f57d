"""Geometry of many boxes at once.

Boxes are arrays (n, 4) float32 of left, top, right and bottom edges, in pixels. Coordinates are
continuous: pixel number i of a row covers i to i + 1, so a box's width is right - left.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Box

#: (n, 4) float32: left, top, right and bottom edges.
Corners = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def corners_of(boxes: Sequence[Box]) -> Corners:
    """Return the edges of boxes that are given as x, y, width and height."""
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


def box_of(corners: npt.ArrayLike) -> Box:
    """Return x, y, width and height of one box; `edges` has shape (4,)."""
    left, top, right, bottom = (float(edge) for edge in np.asarray(corners))
    return left, top, right - left, bottom - top


def areas(corners: Corners) -> Floats:
    """Return the (n,) areas; a box whose edges are swapped has the area 0."""
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def sizes(corners: Corners) -> Floats:
    """Return the (n,) sizes, which are square roots of areas."""
    return np.asarray(np.sqrt(areas(corners)), np.float32)


def intersections(a: Corners, b: Corners) -> Floats:
    """Return the areas that each of `a` (n, 4) shares with each of `b` (m, 4), as (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def iou_matrix(a: Corners, b: Corners) -> Floats:
    """Return the intersection over union of each of `a` (n, 4) with each of `b` (m, 4)."""
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def non_maximum_suppression(corners: Corners, scores: Floats, max_iou: float) -> Ints:
    """Return the indices of the boxes to keep, those with the highest score first.

    A box is dropped if its IoU with a kept box is above `max_iou`, or if its score is 0. Equal
    scores keep their order.
    """
    sides = corners[:, 2:] - corners[:, :2]
    rectangles = np.concatenate([corners[:, :2], sides], axis=1)
    kept = cv2.dnn.NMSBoxes(rectangles, scores.tolist(), 0.0, max_iou)
    return np.asarray(kept, np.int64).reshape(-1)
