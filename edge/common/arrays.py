"""Array and box types that every package uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Pixels of an image: (height, width, channels) or (height, width), uint8.
Pixels = npt.NDArray[np.uint8]

#: x, y, width and height of a rectangle, in pixels of the frame. Values may be fractional, and the
#: rectangle may extend beyond the frame.
Box = tuple[float, float, float, float]
