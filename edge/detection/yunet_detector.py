"""YuNet, a public network for face detection, run by OpenCV (`cv2.FaceDetectorYN`).

It is for users who configure a file of their own: Mask Patrol ships none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.common.errors import UserError
from edge.config.settings import DetectorSettings
from edge.detection.detector_card import BoxConvention, Threshold
from edge.detection.face_detector import Face, without_overlaps
from edge.detection.luma import Luma
from edge.detection.luma_detector import LumaDetector
from edge.detection.tight_boxes import face_of, wide_enough

#: As in the card of our own network; YuNet has no card.
THRESHOLD = Threshold(
    score=0.6, sure=0.85, chosen="by OpenCV's example for the smallest score of 0.6"
)
BOX = BoxConvention(side=1.13, measured="as for our network")
MAX_IOU = 0.3


class YuNetDetector(LumaDetector):
    """YuNet on the grey image: each channel of its colour input gets the same values."""

    def __init__(self, path: Path, settings: DetectorSettings) -> None:
        """Load the file `path`; raises UserError if OpenCV cannot run it as YuNet."""
        if not path.is_file():
            raise UserError(
                f"cannot read the face detector {path}: there is no such file;"
                " leave detector.model empty to use the shipped one"
            )
        self.name = f"{path.name} in OpenCV"
        super().__init__(settings)
        self._min_score = THRESHOLD.score if settings.min_score is None else settings.min_score
        try:
            self._detector: Any = cv2.FaceDetectorYN.create(
                str(path), "", (64, 64), self._min_score, MAX_IOU
            )
            self._detector.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"OpenCV cannot run {path} as YuNet: {reason}") from None

    def search(self, luma: Luma) -> list[Face]:
        """Return all faces that are at least `min_face` of the frame's width wide."""
        height, width = luma.pixels.shape
        self._detector.setInputSize((width, height))
        _, rows = self._detector.detect(cv2.cvtColor(luma.pixels, cv2.COLOR_GRAY2BGR))
        faces = []
        for row in () if rows is None else rows.tolist():
            left, top, w, h = row[:4]
            corners = (left, top, left + w, top + h)
            faces.append(face_of(corners, row[14], luma, BOX, THRESHOLD))
        return without_overlaps(wide_enough(faces, self._settings.min_face * width / luma.scale))
