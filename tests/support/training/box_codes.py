"""The code of a box at each point of the grid: the inverse of `Grid.decode`."""

from __future__ import annotations

import numpy as np

from edge.detection.boxes import Corners, Floats
from edge.detection.point_grid import Grid


def encode(grid: Grid, corners: Corners) -> Floats:
    """Return the code (n, 4) of one box (n, 4) for each point."""
    low, high = corners[:, :2], corners[:, 2:]
    strides = grid.strides[:, None]
    offsets = ((low + high) / 2 - grid.points) / strides
    sides = np.log(np.maximum(high - low, 1e-3) / strides)
    return np.asarray(np.concatenate([offsets, sides], axis=1), np.float32)
