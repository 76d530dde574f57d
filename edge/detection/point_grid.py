"""The grid of points at which the network predicts faces, and the code of a box at a point.

The network has one output for each point of three levels. The points of a level are `stride` pixels
apart, and the first one is half a stride from the upper left corner. The code of a box is the
distance in x and y from the point to the centre of the box, in strides, and the natural logarithms
of the width and the height in strides. Points are in the order of the levels, and row by row within
a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge.detection.boxes import Corners, Floats, non_maximum_suppression

STRIDES = (8, 16, 32)
#: The logarithms of a code are limited to this value before `exp` is applied: a side has at most 12
#: strides, which is more than the picture's at the coarsest level.
MAX_LOG_SIDE = 2.5
#: Two boxes with a larger intersection over union are considered to be the same face.
MAX_IOU = 0.45


@dataclass(frozen=True)
class InputSize:
    """The size of the picture that the network takes; `channels` is 1 for luma, 3 for RGB."""

    width: int = 320
    height: int = 240
    channels: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, in the order of an array's shape."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Grid:
    """`points` (n, 2) float32: x and y in pixels of the input. `strides` (n,) float32."""

    points: Floats
    strides: Floats

    @classmethod
    def of(cls, size: InputSize) -> Grid:
        """Return the points of all levels for an input of `size`."""
        levels = [_level(size, stride) for stride in STRIDES]
        strides = [
            np.full(len(points), s, np.float32) for s, points in zip(STRIDES, levels, strict=True)
        ]
        return cls(np.concatenate(levels), np.concatenate(strides))

    def decode(self, codes: Floats) -> Corners:
        """Return the box (n, 4) of each point from its code (n, 4)."""
        centres = self.points + codes[:, :2] * self.strides[:, None]
        half = np.exp(np.minimum(codes[:, 2:], MAX_LOG_SIDE)) * self.strides[:, None] / 2.0
        return np.asarray(np.concatenate([centres - half, centres + half], axis=1), np.float32)


@dataclass(frozen=True)
class Detections:
    """The faces found in one picture: boxes (n, 4) as edges, and scores (n,), highest first."""

    corners: Corners
    scores: Floats


def point_count(size: InputSize) -> int:
    """Return the number of points of all levels for an input of `size`."""
    return sum(math.ceil(size.width / s) * math.ceil(size.height / s) for s in STRIDES)


def _level(size: InputSize, stride: int) -> Floats:
    columns, rows = math.ceil(size.width / stride), math.ceil(size.height / stride)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.asarray((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride, np.float32)


def decode_detections(
    grid: Grid, logits: Floats, codes: Floats, min_score: float, max_iou: float = MAX_IOU
) -> Detections:
    """Return the faces in the network's output for one picture.

    `logits` (n,) are scores before the sigmoid, and `codes` (n, 4) the codes of the boxes, both in
    the order of the grid. Boxes with a score below `min_score` are dropped, then those whose IoU
    with a box of a higher score is above `max_iou`.
    """
    scores = np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))), np.float32)
    likely = np.flatnonzero(scores >= min_score)
    part = Grid(grid.points[likely], grid.strides[likely])
    corners = part.decode(codes[likely])
    kept = non_maximum_suppression(corners, scores[likely], max_iou)
    return Detections(corners[kept], scores[likely][kept])
