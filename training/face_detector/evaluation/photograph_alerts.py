"""Face detector and classifier together on boxed photographs: who is found, and who alerts.

Each photograph is searched and each box classified as by the daemon, but once: a track's several
readings are not simulated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.classification.classifier import Classifier
from edge.classification.face_crop import crop_face
from edge.classification.unsure import UnsureRule
from edge.common.arrays import Box, Pixels
from edge.detection.boxes import Corners, corners_of
from edge.detection.face_detector import Finder
from edge.detection.point_grid import Detections
from training.common.intervals import Estimate, share_estimates
from training.face_detector.evaluation.detection_metrics import FaceTruth, match_picture
from training.face_detector.evaluation.detector_evaluation import (
    LABEL_GROUPS,
    RECALL_IOU,
    EvaluationPicture,
)
from training.face_detector.evaluation.search_detectors import SearchDetector

#: The score from which the box of another detector is a face that nobody has boxed.
CONFIRMED_SCORE = 0.5
#: How much of the surroundings of a box without a face is kept, and the size that it is scaled to.
CONTEXT_MARGIN, CONTEXT_PX = 0.3, 120


@dataclass(frozen=True)
class Reading:
    """A box that the detector returned, whether its classification alerts or is unsure, and its
    surroundings, (120, 120, 3) uint8 BGR.
    """

    box_px: Box
    alerts: bool
    is_unsure: bool
    surroundings: Pixels


@dataclass(frozen=True)
class PhotographReadings:
    """The readings of one photograph: `faces` has one entry for each annotated face, None if it was
    not found, and `false` are the boxes without a face.
    """

    picture: EvaluationPicture
    faces: tuple[Reading | None, ...]
    false: tuple[Reading, ...]


def read_photographs(
    pictures: Iterable[EvaluationPicture],
    detector: Finder,
    classifier: Classifier,
    rule: UnsureRule,
    other: SearchDetector | None = None,
) -> list[PhotographReadings]:
    """Search and classify each picture; a reading alerts if its scores reach the alert threshold of
    `rule`, which also decides whether it is unsure.

    Boxes on ignored regions, and on faces that `other` finds although nobody has boxed them, are
    left out. Raises UserError for a picture that cannot be read.
    """
    readings = []
    for each in pictures:
        image = read_image(each.picture.path)
        boxes = [face.box_px for face in detector.find(image)]
        truth = each.truth()
        if other is not None:
            truth = replace(truth, ignored=np.concatenate([truth.ignored, _sure(other, image)]))
        found = [_read(image, box, classifier, rule) for box in boxes]
        readings.append(_match(each, truth, found))
    return readings


def _sure(other: SearchDetector, image: Pixels) -> Corners:
    found = other.find(image)
    return np.asarray(found.corners[found.scores >= CONFIRMED_SCORE], np.float32)


def _read(image: Pixels, box: Box, classifier: Classifier, rule: UnsureRule) -> Reading:
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    scores = classifier.classify(rgb, box)
    around = crop_face(image, box, CONTEXT_MARGIN, (CONTEXT_PX, CONTEXT_PX))
    return Reading(box, rule.alerts(scores), rule.is_unsure(scores), around)


def _match(
    picture: EvaluationPicture, truth: FaceTruth, found: Sequence[Reading]
) -> PhotographReadings:
    # The detector returns the most likely face first; the rank replaces the score, and tells which
    # reading each match belongs to.
    ranks = np.arange(len(found), 0, -1, dtype=np.float32)
    detections = Detections(corners_of([each.box_px for each in found]), ranks)
    matched = match_picture(detections, truth, RECALL_IOU)

    def of_rank(rank: float) -> Reading:
        return found[len(found) - int(rank)]

    return PhotographReadings(
        picture,
        tuple(None if np.isnan(rank) else of_rank(rank) for rank in matched.face),
        tuple(of_rank(rank) for rank in matched.scores[~matched.hits]),
    )


@dataclass(frozen=True)
class AlertFigures:
    """The figures of a detector and a classifier.

    For each group of `LABEL_GROUPS`: `found`, the share of the faces that are found, and `alerts`
    and `unsure`, the shares of the found faces that alert and that are unsure, with 95% intervals,
    or None without such faces. `false_boxes` is the number of boxes without a face in 100 pictures,
    `false_alerts` and `false_unsure` the numbers of those that alert and that are unsure.
    """

    pictures: int
    found: dict[str, Estimate | None]
    alerts: dict[str, Estimate | None]
    unsure: dict[str, Estimate | None]
    false_boxes: float
    false_alerts: float
    false_unsure: float


def alert_figures(readings: Sequence[PhotographReadings]) -> AlertFigures:
    """Return the figures of all photographs together."""
    rows = [
        (index, label, reading)
        for index, each in enumerate(readings)
        for label, reading, counted in zip(
            each.picture.labels, each.faces, each.picture.counted, strict=True
        )
        if counted
    ]
    pictures = np.array([index for index, _, _ in rows], np.int64)
    found: dict[str, Estimate | None] = {}
    alerts: dict[str, Estimate | None] = {}
    unsure: dict[str, Estimate | None] = {}
    for group, labels in LABEL_GROUPS.items():
        member = np.array([label in labels for _, label, _ in rows], np.bool_)
        seen = np.array([reading is not None for _, _, reading in rows], np.bool_)
        alerting = np.array([bool(reading and reading.alerts) for _, _, reading in rows], np.bool_)
        doubtful = np.array(
            [bool(reading and reading.is_unsure) for _, _, reading in rows], np.bool_
        )
        parts = {
            "found": (member & seen, member),
            "alerts": (member & alerting, member & seen),
            "unsure": (member & doubtful, member & seen),
        }
        shares = share_estimates(parts, pictures) if rows else {}
        found[group], alerts[group], unsure[group] = (
            _counted(shares.get(name), int(parts[name][1].sum())) for name in parts
        )
    hundreds = max(1, len(readings)) / 100
    return AlertFigures(
        len(readings),
        found,
        alerts,
        unsure,
        sum(len(each.false) for each in readings) / hundreds,
        sum(reading.alerts for each in readings for reading in each.false) / hundreds,
        sum(reading.is_unsure for each in readings for reading in each.false) / hundreds,
    )


def _counted(share: Estimate | None, count: int) -> Estimate | None:
    return None if share is None else replace(share, count=count)
