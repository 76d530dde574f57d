"""The thumbnail of a frame, small but sufficient to detect motion and scene cuts.

A thumbnail is made once per frame, for the motion detector and the scene-cut detector. In a still
scene the thumbnail and these two detectors are the only costs of a frame.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Pixels

#: Width of a thumbnail: a face of the smallest size that is searched for (7% of the width of the
#: frame) is then nearly six pixels wide.
WIDTH_PX = 80
#: Number of points, in each direction, at which a colour image is sampled for each pixel of the
#: thumbnail. The mean of the points has a third of the sensor's noise. Using all pixels would cost
#: several times as much.
SAMPLES = 3


def make_thumbnail(frame: Frame) -> Pixels:
    """Return `frame` as a small grey image, (height, 80) uint8, with the same aspect ratio."""
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
