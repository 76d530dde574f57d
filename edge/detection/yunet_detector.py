"""YuNet, a public network for face detection, run by OpenCV (`cv2.FaceDetectorYN`).

It is for users who configure a file of their own: Mask Patrol ships none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.common.errors import UserError, first_line
from edge.config.settings import DetectorSettings
from edge.detection.detector_card import BoxConvention, Threshold
from edge.detection.face_detector import Face, without_overlaps
from edge.detection.luma import Luma
from edge.detection.luma_detector import LumaDetector
from edge.detection.tight_boxes import face_of, threshold_from, wide_enough
from edge.inference.model_file import read_model
from edge.inference.trial import require_trial

#: As in the card of our own network; YuNet has no card.
THRESHOLD = Threshold(
    score=0.6, sure=0.85, chosen="by OpenCV's example for the smallest score of 0.6"
)
BOX = BoxConvention(side=1.13, measured="as for our network")
MAX_IOU = 0.3


class YuNetDetector(LumaDetector):
    """YuNet on the grey image: each channel of its colour input gets the same values."""

    def __init__(self, path: Path, settings: DetectorSettings, sure: bool = False) -> None:
        """Load the file `path`, after a trial in a child process; `sure` as in `LearnedDetector`.

        Raises UserError if OpenCV cannot run it as YuNet.
        """
        read_model(path, "face detector", "detector.model")
        require_trial("edge.detection.opencv_trial", ["yunet", str(path)], path)
        self.name = f"{path.name} in OpenCV"
        super().__init__(settings)
        default = THRESHOLD.sure if sure else THRESHOLD.score
        min_score = default if settings.min_score is None else settings.min_score
        self._threshold = threshold_from(THRESHOLD, min_score)
        self._detector = load_yunet(path, min_score)

    def search(self, luma: Luma) -> list[Face]:
        """Return all faces that are at least `min_face` of the frame's width wide.

        Raises UserError if OpenCV fails.
        """
        height, width = luma.pixels.shape
        try:
            self._detector.setInputSize((width, height))
            _, rows = self._detector.detect(cv2.cvtColor(luma.pixels, cv2.COLOR_GRAY2BGR))
        except cv2.error as error:
            raise UserError(f"OpenCV cannot search with {self.name}: {first_line(error)}") from None
        faces = []
        for row in () if rows is None else rows.tolist():
            left, top, w, h = row[:4]
            corners = (left, top, left + w, top + h)
            faces.append(face_of(corners, row[14], luma, BOX, self._threshold))
        return without_overlaps(wide_enough(faces, self._settings.min_face * width / luma.scale))


def load_yunet(path: Path, min_score: float) -> Any:
    """Load a file that passed a trial, or in a process that may crash; raises UserError."""
    try:
        detector: Any = cv2.FaceDetectorYN.create(str(path), "", (64, 64), min_score, MAX_IOU)
        detector.detect(np.zeros((64, 64, 3), np.uint8))
    except (cv2.error, SystemError) as error:
        raise UserError(f"OpenCV cannot run {path} as YuNet: {first_line(error)}") from None
    return detector
