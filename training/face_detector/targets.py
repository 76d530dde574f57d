"""Targets of the network for one picture: which point stands for which face.

A face belongs to the levels whose range of sizes contains its size, and at these levels to the
points inside its box that are at most `CENTRE_RADIUS` strides from its centre (centre sampling, as
in FCOS). A point to which several faces belong stands for the smallest of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.detection.boxes import Bools, Corners, Floats, Ints, sizes
from edge.detection.point_grid import STRIDES, Grid

#: Ranges of the sizes of faces (square roots of areas, in pixels), by stride. The ranges overlap,
#: because for a face whose size is between two levels it is not clear which level is best.
LEVEL_SIZES = {8: (0.0, 40.0), 16: (32.0, 88.0), 32: (72.0, float("inf"))}
CENTRE_RADIUS = 1.5
#: Smaller faces are treated as ignored: they are too small to be classified, and data sets do not
#: box all of them.
MIN_FACE_PX = 9.0


@dataclass(frozen=True)
class Targets:
    """For each of n points: `corners` (n, 4), the box of its face, or zeros for background;
    `positive` (n,) float32, 1 where there is a face; `weight` (n,) float32, the weight of its
    score in the loss, 0 where it is ignored.
    """

    corners: Corners
    positive: Floats
    weight: Floats


def assign_targets(grid: Grid, faces: Corners, ignored: Corners) -> Targets:
    """Return the targets of a picture with `faces` (n, 4) and ignored regions (m, 4)."""
    tiny = sizes(faces) < MIN_FACE_PX
    ignored = np.concatenate([ignored, faces[tiny]])
    faces = faces[~tiny]
    faces = faces[np.argsort(-sizes(faces), kind="stable")]  # smaller faces overwrite larger ones
    owner = np.full(len(grid.points), -1, np.int64)
    for index, face in enumerate(faces):
        owner[_points_of(grid, face)] = index
    positive = owner >= 0
    corners = np.zeros((len(owner), 4), np.float32)
    corners[positive] = faces[owner[positive]]
    weight = np.where(positive, True, ~_inside_any(grid.points, ignored))
    return Targets(corners, positive.astype(np.float32), weight.astype(np.float32))


def _points_of(grid: Grid, face: Corners) -> Ints:
    size = float(sizes(face[None])[0])
    centre = (face[:2] + face[2:]) / 2
    near = np.abs(grid.points - centre).max(axis=1) <= CENTRE_RADIUS * grid.strides
    fits = np.zeros(len(grid.points), np.bool_)
    for stride in STRIDES:
        low, high = LEVEL_SIZES[stride]
        if low <= size < high:
            fits |= grid.strides == stride
    chosen = np.flatnonzero(fits & near & _inside_any(grid.points, face[None]))
    if len(chosen):
        return chosen
    # The box of a narrow face may contain no point; then the point nearest to its centre stands for
    # the face.
    distances = np.where(fits, np.abs(grid.points - centre).max(axis=1), np.inf)
    return np.array([int(distances.argmin())], np.int64)


def _inside_any(points: Floats, corners: Corners) -> Bools:
    low = (points[:, None] > corners[None, :, :2]).all(axis=2)
    high = (points[:, None] < corners[None, :, 2:]).all(axis=2)
    return np.asarray((low & high).any(axis=1), np.bool_)
