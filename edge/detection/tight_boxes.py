"""From the tight boxes and scores of networks to the square boxes and supports of the cascade.

The tracker, the quality of readings and the framing of crops were measured with the cascade's
boxes, so all detectors return boxes like those.
"""

from __future__ import annotations

import math

import msgspec

from edge.detection.detector_card import BoxConvention, Threshold
from edge.detection.face_detector import Face
from edge.detection.luma import Luma

#: The supports of a box with the score `Threshold.score`, and with the score `Threshold.sure`. In
#: `edge.tracking.face_quality` the first gives a tenth of the full weight and the second the full
#: weight. On 483 validation photographs, half of the shipped network's boxes with scores from 0.35
#: to 0.55 hold a face, 83% of those from 0.55 to 0.65, 92% from 0.65 to 0.75, and 94% from 0.75 to
#: 0.85. The cascade's boxes with the smallest support, of which half hold a face as well, have half
#: of the full weight; but what the network takes for a face, such as a hand, it finds in one frame
#: after the other: with half of the weight, 19 instead of 17 of 165 films had an alert without an
#: annotated face, and 147 instead of 146 of 161 people without a mask were alerted.
SUPPORT_AT_THRESHOLD, SUPPORT_WHEN_SURE = 0.0, 9.0
#: The least difference between the two scores.
MIN_GAP = 0.05


def threshold_from(threshold: Threshold, min_score: float) -> Threshold:
    """Return `threshold` with its smaller score lowered to `min_score`, if that is lower.

    Otherwise a box with a score far below that of the card would have no weight at all.
    """
    score = min(threshold.score, min_score)
    sure = max(threshold.sure, score + MIN_GAP)
    return msgspec.structs.replace(threshold, score=score, sure=sure)


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
