"""Letterboxed pictures with their faces, to measure a network while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.common.arrays import Pixels
from edge.detection.boxes import Bools, Corners, Floats, sizes
from edge.detection.point_grid import Detections, Grid, InputSize, decode_detections
from training.data.progress import with_progress
from training.face_detector.evaluation.detection_metrics import (
    FALSE_BOXES,
    FaceTruth,
    average_precision,
    match_all,
    precision_recall,
)
from training.face_detector.pictures.boxed_pictures import BoxedPicture, read_pixels
from training.face_detector.views.box_maps import transform_faces
from training.face_detector.views.composition import letterbox, photograph_of

#: Faces that are smaller in the letterboxed picture are not counted: the classifier cannot tell
#: whether they wear a mask.
MIN_SIZE_PX = 12.0
MIN_SCORE, MIN_IOU = 0.02, 0.5
CHUNK = 32


@dataclass(frozen=True)
class ValidationPictures:
    """`pixels` (n, height, width, channels) uint8, and the faces of each picture in its letterboxed
    pixels.
    """

    pixels: Pixels
    truths: tuple[FaceTruth, ...]
    grid: Grid

    def figures(self, model: Any) -> dict[str, float]:
        """Return `score`, which is the average precision at IoU 0.5, and the recall at each number
        of `FALSE_BOXES` in 100 pictures.
        """
        return self.figures_of(self.detections(model))

    def figures_of(self, found: Sequence[Detections]) -> dict[str, float]:
        """Return the figures of what was `found` in each picture, in its letterboxed pixels."""
        matched = match_all(found, self.truths, MIN_IOU)
        curve = precision_recall(matched)
        figures = {"score": average_precision(matched)}
        for number in FALSE_BOXES:
            allowed = curve.recall[100 * curve.false_boxes <= number]
            figures[f"recall_at_{number}"] = float(allowed.max(initial=0.0))
        return {name: round(float(np.nan_to_num(value)), 4) for name, value in figures.items()}

    def detections(self, model: Any) -> list[Detections]:
        """Return what `model` finds in each picture, in its letterboxed pixels."""
        import tensorflow as tf

        compiled = tf.function(lambda pixels: model(pixels, training=False))
        found = []
        for start in range(0, len(self.pixels), CHUNK):
            output = compiled(self.pixels[start : start + CHUNK].astype(np.float32))
            logits, codes = (np.asarray(output[name], np.float32) for name in ("logits", "codes"))
            found += [
                decode_detections(self.grid, *each, MIN_SCORE)
                for each in zip(logits, codes, strict=True)
            ]
        return found


def read_validation_pictures(
    pictures: Sequence[BoxedPicture], size: InputSize
) -> ValidationPictures:
    """Decode and letterbox `pictures`."""
    rows: list[Pixels] = []
    truths = []
    for picture in with_progress(pictures, "reading validation pictures", "picture"):
        pixels, matrix = letterbox(read_pixels(picture, size.channels), size)
        photograph = photograph_of(picture, pixels)
        faces = transform_faces(photograph.faces, matrix)
        ignored = transform_faces(photograph.ignored, matrix)
        truths.append(FaceTruth(faces, ignored, _counted(faces)))
        rows.append(pixels.reshape(size.shape))
    return ValidationPictures(np.stack(rows), tuple(truths), Grid.of(size))


def _counted(faces: Corners) -> Bools:
    side: Floats = sizes(faces)
    return np.asarray(side >= MIN_SIZE_PX, np.bool_)
