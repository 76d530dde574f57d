"""The display matrix of a video: the mark that says how players turn or mirror its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.common.arrays import Pixels

#: Length in bytes of FFmpeg's display matrix: nine signed 32-bit numbers.
MATRIX_BYTES = 36


@dataclass(frozen=True)
class Turn:
    """How a picture is made upright: first `transpose`, then the two mirrorings.

    `transpose` exchanges rows and columns, `mirror_x` exchanges left and right, `mirror_y`
    exchanges top and bottom.
    """

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, image: Pixels) -> Pixels:
        """Return `image`, (height, width, channels), upright, in memory of its own if it turns."""
        if self == UPRIGHT:
            return image
        if self.transpose:
            image = image.swapaxes(0, 1)
        image = image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(image)  # OpenCV needs rows without gaps


UPRIGHT = Turn()


def turn_of(display_matrix: bytes) -> Turn:
    """Return the turn nearest to FFmpeg's `display_matrix`, in the byte order of this machine.

    Players turn a picture by the matrix, which phones write into their videos: the point (x, y) of
    the stored picture is shown at (a x + c y, b x + d y), where y points down. Angles between
    right angles are rounded, and a matrix without a direction, such as one of zeros, has no effect.
    """
    if len(display_matrix) != MATRIX_BYTES:
        return UPRIGHT
    matrix = np.frombuffer(display_matrix, np.int32).astype(np.int64)
    a, b, c, d = (int(matrix[index]) for index in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)
