"""The check of one picture inside the worker process: the same as `mask-patrol detect` does."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.camera.pictures.heif_images import load_libraries
from edge.camera.pictures.image_files import decode_image
from edge.classification.classifier import load_classifier
from edge.classification.unsure import unsure_rule
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.result import ANNOTATED_QUALITY, MAX_PIXELS, PictureResult
from edge.detection.annotate import annotated
from edge.detection.still_images import (
    as_record,
    find_faces,
    still_detector,
    still_detector_settings,
)


class PictureWorker:
    """The model and the face detector, loaded once for all pictures."""

    def __init__(self, settings: Settings) -> None:
        """Load both; raises UserError when the model or the cascade cannot be used."""
        self._classifier = load_classifier(settings)
        self._rule = unsure_rule(settings.events, self._classifier.answer)
        self._detector = still_detector(settings)
        self._min_face = still_detector_settings(settings).min_face
        load_libraries()

    def check(self, raw: bytes, name: str, with_picture: bool) -> PictureResult:
        """Find and classify the faces in the encoded picture `raw`.

        `name` is the file name for messages; `with_picture` requests the annotated JPEG. Raises
        UserError when `raw` cannot be decoded or is too large.
        """
        image = decode_image(raw, name, MAX_PIXELS)
        faces = find_faces(image, self._detector, self._classifier, self._rule)
        picture = None
        if with_picture:
            quality = [int(cv2.IMWRITE_JPEG_QUALITY), ANNOTATED_QUALITY]
            is_encoded, jpeg = cv2.imencode(".jpg", annotated(image, faces), quality)
            if not is_encoded:
                raise UserError(f"{name} is too large for a JPEG")
            picture = jpeg.tobytes()
        record = as_record(Path(name), image, faces)
        record["min_face_px"] = round(self._min_face * record["width"])
        record["alert_threshold"] = self._rule.threshold
        return PictureResult(record, picture)
