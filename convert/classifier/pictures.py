"""The faces that a conversion uses: those of the training parts for ranges, those of the test parts
for figures, or drawings where there is no data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.synthetic_inputs import drawn_inputs
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.common.metrics import Ints
from training.data.crops import decode_samples, evaluation_crop, is_evaluated
from training.data.datasets import DataSet
from training.data.progress import sample_progress, subsample
from training.data.splits import Split

CROPS_PER_DATA_SET = 300
DRAWINGS = 300


@dataclass(frozen=True)
class CheckSet:
    """The pictures on which Keras and its conversions are compared.

    `pixels`: (n, height, width, 3) uint8 RGB crops. `truth`: (n,) indices of labels, all -1
    where they are not known. `parts`: the slice of each data set, empty where accuracy cannot be
    measured. `description`: a readable description.
    """

    description: str
    pixels: Pixels
    truth: Ints
    parts: dict[str, slice]


def training_crops(datasets: list[DataSet]) -> Pixels:
    """Return crops of the training parts to compute ranges from, (n, 96, 96, 3) uint8 RGB."""
    crops: list[Any] = []
    for data in datasets:
        crops += [crop for crop, _ in _crops(data, Split.TRAIN, CROPS_PER_DATA_SET)]
    if not crops:
        raise UserError("no picture to compute activation ranges from")
    return np.stack(crops)


def check_set(datasets: list[DataSet], labels: tuple[str, ...], size_px: int) -> CheckSet:
    """Return the test faces of the data sets, or synthetic drawings without data sets."""
    crops: list[Any] = []
    truth: list[int] = []
    parts: dict[str, slice] = {}
    for data in datasets:
        start = len(crops)
        for crop, label in _crops(data, Split.TEST, None):
            crops.append(crop)
            truth.append(labels.index(label))
        if len(crops) > start:
            parts[data.name] = slice(start, len(crops))
    if not crops:
        pixels = drawn_inputs(DRAWINGS, size_px)
        return CheckSet(f"{DRAWINGS} drawings", pixels, np.full(DRAWINGS, -1, np.int64), {})
    description = f"{len(crops)} test faces of {', '.join(parts)}"
    return CheckSet(description, np.stack(crops), np.array(truth, np.int64), parts)


def _crops(data: DataSet, split: Split, limit: int | None) -> Iterator[tuple[Pixels, str]]:
    samples = subsample([s for s in data.in_split(split) if is_evaluated(s)], limit)
    for sample, image in decode_samples(data, samples, sample_progress(f"{data.name} {split}")):
        crop = evaluation_crop(sample, image)
        if crop is not None:
            yield crop, sample.label
