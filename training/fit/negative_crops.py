"""Boxes without a face: what detectors falsely find on walls and clothes.

They come from the annotated scenes, and from a folder of crops that `python -m training
evaluate-alerts --no-face` has written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.classification.face_crop import crop_face
from edge.common.arrays import Box, Pixels
from edge.common.errors import UsageError, UserError
from training.common.train_config import TrainConfig
from training.data.crops import Face, decode_samples, read_picture
from training.data.datasets import DataSet, Sample
from training.data.detector_simulation import MARGIN, box_of_annotation
from training.data.face_boxes import find_empty_boxes
from training.data.layouts import list_pictures
from training.data.progress import subsample
from training.data.splits import Split
from training.network.model import SIZE_PX

#: Number of boxes without a face from each validation scene: choosing a threshold needs hundreds in
#: total.
EMPTY_PER_VALIDATION_SCENE = 6


#: The share of a crop of the folder that its box takes: the crops have a margin of 0.3 sides.
CROP_SHARE = 1 / 1.6


def negative_face(image: Pixels, box: Box) -> Face:
    """Return a box without a face, cropped with its margin; its empty label is never used."""
    return _as_face(crop_face(image, box, 0.3, (120, 120)))


def _as_face(crop: Pixels) -> Face:
    return Face(crop, _box_in(crop), "", annotated=False)


def _box_in(crop: Pixels) -> Box:
    height, width = crop.shape[:2]
    w, h = CROP_SHARE * width, CROP_SHARE * height
    return (width - w) / 2, (height - h) / 2, w, h


def no_face_pictures(folder: Path, split: Split) -> list[Path]:
    """Return the pictures of one split in a folder of crops without a face, by name.

    Raises UsageError if there are none.
    """
    paths = list_pictures(folder / split)
    if not paths:
        raise UsageError(
            f"--no-face {folder}: {folder / split} holds no picture: `python -m training"
            " evaluate-alerts --split all --no-face DIR` writes such a folder"
        )
    return paths


def _crops(folder: Path, split: Split) -> Iterator[Pixels]:
    for path in no_face_pictures(folder, split):
        crop = read_picture(path)
        if crop is None:
            raise UserError(f"--no-face: {path} cannot be decoded: remove it")
        yield crop


def no_face_training(folder: Path) -> list[Face]:
    """Return the crops of the folder's train split; raises as `no_face_pictures`, and UserError for
    a picture that cannot be decoded.
    """
    return [_as_face(crop) for crop in _crops(folder, Split.TRAIN)]


def no_face_validation(folder: Path) -> Pixels:
    """Return the crops of the folder's validation split as the Pi would make them, (n, 96, 96, 3)
    uint8; raises as `no_face_training`.
    """
    size = (SIZE_PX, SIZE_PX)
    return np.stack(
        [crop_face(crop, _box_in(crop), MARGIN, size) for crop in _crops(folder, Split.VALIDATION)]
    )


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
