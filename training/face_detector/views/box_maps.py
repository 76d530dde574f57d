"""Boxes of faces when a picture is scaled, turned, or cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.detection.boxes import Corners

#: (2, 3) float64: maps (x, y, 1) to a point.
Affine = npt.NDArray[np.float64]


def transform_faces(corners: Corners, matrix: Affine) -> Corners:
    """Return the boxes of faces after the affine map `matrix`.

    A face is about the ellipse that its box encloses, and the result encloses the mapped ellipse.
    The box around a mapped rectangle would be up to 1.4 times too wide for a tilted face.
    """
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    half = (corners[:, 2:] - corners[:, :2]) / 2
    linear = np.asarray(matrix[:, :2], np.float32)
    mapped = centres @ linear.T + np.asarray(matrix[:, 2], np.float32)
    reach = np.sqrt((half**2) @ (linear.T**2))
    moved = np.concatenate([mapped - reach, mapped + reach], axis=1)
    return np.asarray(moved, np.float32)


def clip(corners: Corners, width: float, height: float) -> Corners:
    """Return the parts of the boxes that lie in a picture of `width` and `height`."""
    limits = np.array([width, height, width, height], np.float32)
    return np.asarray(np.clip(corners, 0, limits), np.float32)
