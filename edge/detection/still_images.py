"""Still pictures: finding the faces in them and classifying each."""

from __future__ import annotations

from dataclasses import dataclass

from edge.classification.classifier import Classifier, Scores
from edge.common.arrays import Pixels
from edge.detection.face_detector import HaarDetector


@dataclass(frozen=True)
class StillFace:
    """A face in a still picture: `box_px` is x, y, width, height in its pixels."""

    box_px: tuple[int, int, int, int]
    scores: Scores


def find_faces(
    image_bgr: Pixels, detector: HaarDetector, classifier: Classifier
) -> list[StillFace]:
    """Every face that `detector` finds in `image_bgr`, with what `classifier` says of it."""
    rgb = image_bgr[:, :, ::-1]
    return [
        StillFace(
            tuple(round(v) for v in face.box_px),  # type: ignore[arg-type]
            classifier.classify(rgb, face.box_px),
        )
        for face in detector.find(image_bgr)
    ]


def whole_face(image_bgr: Pixels, classifier: Classifier) -> StillFace:
    """`image_bgr` taken as an already framed face."""
    height, width = image_bgr.shape[:2]
    return StillFace((0, 0, width, height), classifier.classify_crop(image_bgr[:, :, ::-1]))
