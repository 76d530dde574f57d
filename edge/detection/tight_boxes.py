"""From the tight boxes and scores of networks to the square boxes and supports of the cascade.

The tracker, the quality of readings and the framing of crops were measured with the cascade's
boxes, so all detectors return boxes like those.
"""

from __future__ import annotations

import math

from edge.detection.detector_card import BoxConvention, Threshold
from edge.detection.face_detector import Face
from edge.detection.luma import Luma

#: The supports of a box with the score `Threshold.score`, and with the score `Threshold.sure`: the
#: smallest support that the cascade returns, at which half of the boxes hold a face, and the
#: support from which on nine tenths of them do (see `edge.tracking.face_quality`). On 483
#: validation photographs, 54% of the network's boxes with scores from 0.40 to 0.45 hold a face, 67%
#: of those from 0.45 to 0.55, 72% from 0.55 to 0.65, 87% from 0.65 to 0.75, and 97% from 0.75 to
#: 0.85.
SUPPORT_AT_THRESHOLD, SUPPORT_WHEN_SURE = 0.0, 9.0


def face_of(
    corners: tuple[float, float, float, float],
    score: float,
    luma: Luma,
    box: BoxConvention,
    threshold: Threshold,
) -> Face:
    """Return the face with the tight box `corners`: its edges in pixels of `luma`."""
    left, top, right, bottom = corners
    side = box.side * math.sqrt((right - left) * (bottom - top))
    x, y = (left + right) / 2.0, (top + bottom) / 2.0
    scaled = (x - side / 2.0, y - side / 2.0, side, side)
    share = (score - threshold.score) / (threshold.sure - threshold.score)
    support = SUPPORT_AT_THRESHOLD + share * (SUPPORT_WHEN_SURE - SUPPORT_AT_THRESHOLD)
    x, y, w, h = (value / luma.scale for value in scaled)
    return Face((x, y, w, h), support)


def wide_enough(faces: list[Face], min_px: float) -> list[Face]:
    """Return the faces that are at least `min_px` wide."""
    return [face for face in faces if face.box_px[2] >= min_px]
