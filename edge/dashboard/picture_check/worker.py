"""What the inspector's process does with one picture: as `mask-patrol detect` does."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.camera.image_files import decode_image, is_cut_off
from edge.classification.classifier import load_classifier
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.result import ANNOTATED_QUALITY, MAX_PIXELS, PictureResult
from edge.detection.annotate import annotated
from edge.detection.face_detector import HaarDetector
from edge.detection.still_images import as_record, find_faces, still_detector_settings


class PictureWorker:
    """The model and the detector, loaded once."""

    def __init__(self, settings: Settings) -> None:
        """Raises UserError when the model or the cascade cannot be used."""
        self._classifier = load_classifier(settings.classifier)
        self._detector = HaarDetector(still_detector_settings(settings))

    def look(self, raw: bytes, name: str, with_picture: bool) -> PictureResult:
        """Raises UserError when `raw` cannot be read."""
        if is_cut_off(raw):
            raise UserError(f"{name} is cut off: its end is missing; send it again")
        try:
            image = decode_image(raw, name)
        except UserError as error:
            if "too many pixels" in str(error):
                most = MAX_PIXELS // 1_000_000
                raise UserError(
                    f"{name} has more than {most} megapixels: make it smaller"
                ) from None
            raise
        faces = find_faces(image, self._detector, self._classifier)
        picture = None
        if with_picture:
            quality = [int(cv2.IMWRITE_JPEG_QUALITY), ANNOTATED_QUALITY]
            done, code = cv2.imencode(".jpg", annotated(image, faces), quality)
            if not done:
                raise UserError(f"{name} is too large for a JPEG")
            picture = code.tobytes()
        return PictureResult(as_record(Path(name), image, faces), picture)
