"""Faces in still images: finding and classifying each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.classification.classifier import Classifier, Scores
from edge.classification.unsure import UnsureRule
from edge.common.arrays import Pixels
from edge.config.settings import DetectorSettings, Settings, change
from edge.detection.face_detector import Finder
from edge.detection.load_detector import load_detector

#: Defaults of the settings in `detector` for still images. More time is available for an image than
#: for a frame, so that smaller faces are searched for. A box needs more neighbouring detections of
#: the cascade, because no second frame can confirm it; for the same reason a network must be sure
#: (`still_detector`).
STILL_DEFAULTS = {"width_px": 1024, "min_face": 0.025, "min_neighbors": 4}


@dataclass(frozen=True)
class StillFace:
    """A face in a still image; `box_px` is x, y, width, height in pixels of the image.

    `label` is one of `scores`, or `edge.classification.unsure.UNSURE` (see `UnsureRule.label`).
    """

    box_px: tuple[int, int, int, int]
    scores: Scores
    label: str

    @property
    def score(self) -> float:
        """The score of `label`, 0 to 1; of an unsure face, the highest of its scores."""
        return self.scores.by_label.get(self.label, self.scores.score)


def find_faces(
    image_bgr: Pixels, detector: Finder, classifier: Classifier, rule: UnsureRule
) -> list[StillFace]:
    """Return every face that `detector` finds in `image_bgr`, with the scores of `classifier`.

    `rule` decides which faces are unsure.
    """
    rgb = image_bgr[:, :, ::-1]
    faces = []
    for face in detector.find(image_bgr):
        scores = classifier.classify(rgb, face.box_px)
        x, y, width, height = (round(v) for v in face.box_px)
        faces.append(StillFace((x, y, width, height), scores, rule.label(scores)))
    return faces


def classify_whole_image(image_bgr: Pixels, classifier: Classifier, rule: UnsureRule) -> StillFace:
    """Return `image_bgr`, which is the crop of a face, as one face with its scores."""
    height, width = image_bgr.shape[:2]
    scores = classifier.classify_crop(image_bgr[:, :, ::-1])
    return StillFace((0, 0, width, height), scores, rule.label(scores))


def still_detector_settings(settings: Settings) -> DetectorSettings:
    """Return the detector settings, with `STILL_DEFAULTS` where they have their default value."""
    defaults = DetectorSettings()
    changes = {
        name: value
        for name, value in STILL_DEFAULTS.items()
        if getattr(settings.detector, name) == getattr(defaults, name)
    }
    return change(settings, detector=changes).detector


def still_detector(settings: Settings) -> Finder:
    """Load the detector for still images; raises UserError as `load_detector` does."""
    return load_detector(still_detector_settings(settings), sure=True).finder


def as_record(path: Path, image: Pixels, faces: Sequence[StillFace]) -> dict[str, Any]:
    """Return the JSON record of an image; boxes are x, y, width, height in its pixels.

    `score` is that of `label` or, of a face whose `label` is `unsure`, the highest of the `scores`.
    """
    height, width = image.shape[:2]
    return {
        "image": str(path),
        "width": width,
        "height": height,
        "faces": [
            {
                "box": list(face.box_px),
                "label": face.label,
                "score": round(face.score, 4),
                "scores": {k: round(v, 4) for k, v in face.scores.by_label.items()},
            }
            for face in faces
        ],
    }
