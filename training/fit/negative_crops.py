"""Boxes without a face: what the detector falsely finds on walls and clothes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.classification.face_crop import crop_face
from edge.common.arrays import Box, Pixels
from training.common.train_config import TrainConfig
from training.data.crops import Face, decode_samples
from training.data.datasets import DataSet, Sample
from training.data.detector_simulation import MARGIN, box_of_annotation
from training.data.face_boxes import find_empty_boxes
from training.data.progress import subsample
from training.data.splits import Split
from training.network.model import SIZE_PX

#: Number of boxes without a face from each validation scene: choosing a threshold needs hundreds in
#: total.
EMPTY_PER_VALIDATION_SCENE = 6


def negative_face(image: Pixels, box: Box) -> Face:
    """Return a box without a face, cropped with its margin; its empty label is never used."""
    crop = crop_face(image, box, 0.3, (120, 120))
    return Face(crop, (22.5, 22.5, 75.0, 75.0), "", annotated=False)


def negative_crops(data: DataSet, config: TrainConfig) -> Pixels:
    """Return crops of boxes without a face in the validation scenes, as the Pi would make them."""
    boxes = NegativeSampler(data, config.seed, EMPTY_PER_VALIDATION_SCENE)
    size = (SIZE_PX, SIZE_PX)
    crops = [
        crop_face(image, box, MARGIN, size)
        for sample, image in decode_samples(data, subsample(_boxed(data), config.limit), list)
        for box in boxes.of(sample, image)
    ]
    return np.stack(crops) if crops else np.zeros((0, *size, 3), np.uint8)


def _boxed(data: DataSet) -> list[Sample]:
    return [sample for sample in data.in_split(Split.VALIDATION) if sample.box_px is not None]


class NegativeSampler:
    """Boxes without a face, sampled once for each picture, and the same in every run."""

    def __init__(self, data: DataSet, seed: int, per_picture: int) -> None:
        self._faces = data.boxes
        self._rng = np.random.default_rng([seed, 7])
        self._count = per_picture
        self._last: Path | None = None

    def of(self, sample: Sample, image: Pixels) -> list[Box]:
        """Return boxes without a face, in pixels; none if the picture has no boxes or was sampled
        before.
        """
        if sample.box_px is None or sample.path == self._last:
            return []
        self._last = sample.path
        around = [box_of_annotation(box) for box in self._faces[sample.path]]  # faces of any label
        return find_empty_boxes(image, around, self._rng, self._count)
