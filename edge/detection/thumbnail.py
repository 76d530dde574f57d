"""The thumbnail of a frame: what little of it tells whether anything moves, or all of it changed.

Made once for each frame, whoever needs it; on a still scene it is all that a frame costs.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Pixels

#: Its width: a face of the smallest size that is searched for (7% of the width) is then nearly
#: six pixels wide.
WIDTH_PX = 80
#: A colour picture is sampled at so many points for each pixel and direction; their mean has a
#: third of a sensor's noise. All of its pixels would cost several times as much.
SAMPLES = 3


def make_thumbnail(frame: Frame) -> Pixels:
    """`frame` as a small grey picture, (height, 80) uint8, of the frame's proportions."""
    height, width = frame.size_px
    size = (WIDTH_PX, max(1, round(WIDTH_PX * height / width)))
    grey: cv2.typing.MatLike
    if frame.luma is not None:
        grey = frame.luma
    else:
        points = (SAMPLES * size[0], SAMPLES * size[1])
        sampled = cv2.resize(frame.image_bgr, points, interpolation=cv2.INTER_NEAREST)
        grey = cv2.cvtColor(sampled, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
