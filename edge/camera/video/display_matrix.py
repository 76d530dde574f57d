"""The display matrix of a video: the mark that says how players turn or mirror its pictures."""

from __future__ import annotations

import numpy as np

from edge.camera.orientation import UNTURNED, Orientation

#: Length in bytes of FFmpeg's display matrix: nine signed 32-bit numbers.
MATRIX_BYTES = 36


def orientation_of(display_matrix: bytes) -> Orientation:
    """Return how a stored picture is turned so that it is upright.

    `display_matrix` is that of FFmpeg, in the byte order of this machine. Phones write it into
    their videos: the point (x, y) of the stored picture is shown at (a x + c y, b x + d y), where
    y points down. Angles between right angles are rounded, and a matrix without a direction, such
    as one of zeros, has no effect.
    """
    if len(display_matrix) != MATRIX_BYTES:
        return UNTURNED
    matrix = np.frombuffer(display_matrix, np.int32).astype(np.int64)
    a, b, c, d = (int(matrix[index]) for index in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        # The top and bottom are exchanged by half a turn and a mirror.
        return Orientation(2 if d < 0 else 0, mirror=(a < 0) != (d < 0))
    # The columns become rows: by a quarter of a turn clockwise if the left edge becomes the top.
    return Orientation(3 if b < 0 else 1, mirror=(c < 0) == (b < 0))
