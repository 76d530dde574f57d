"""Still pictures: finding the faces in them and classifying each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.classification.classifier import Classifier, Scores
from edge.common.arrays import Pixels
from edge.config.settings import DetectorSettings, Settings, change
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


def classify_whole_image(image_bgr: Pixels, classifier: Classifier) -> StillFace:
    """`image_bgr` taken as an already framed face."""
    height, width = image_bgr.shape[:2]
    return StillFace((0, 0, width, height), classifier.classify_crop(image_bgr[:, :, ::-1]))


#: A picture may be looked at longer than a frame: smaller faces are searched for, and
#: as no second frame will confirm it, a box must be surer. What is configured stays.
STILL_DETECTOR = {"width_px": 1024, "min_face": 0.025, "min_neighbors": 4}


def still_detector_settings(settings: Settings) -> DetectorSettings:
    """The configured detector, with `STILL_DETECTOR` where the defaults stand."""
    usual = DetectorSettings()
    changes = {
        name: value
        for name, value in STILL_DETECTOR.items()
        if getattr(settings.detector, name) == getattr(usual, name)
    }
    return change(settings, detector=changes).detector


def as_record(path: Path, image: Pixels, faces: Sequence[StillFace]) -> dict[str, Any]:
    """What `--json` says of a picture; boxes are x, y, width, height in its pixels."""
    height, width = image.shape[:2]
    return {
        "image": str(path),
        "width": width,
        "height": height,
        "faces": [
            {
                "box": list(face.box_px),
                "label": face.scores.label,
                "score": round(face.scores.score, 4),
                "scores": {k: round(v, 4) for k, v in face.scores.by_label.items()},
            }
            for face in faces
        ],
    }
