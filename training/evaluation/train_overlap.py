"""Evaluated faces that are near-duplicates of the pictures that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.common.errors import UsageError
from training.data.crops import decode_pictures
from training.data.datasets import DataSet, Sample
from training.data.duplicates import Fingerprint, has_near_duplicate, sample_fingerprints
from training.data.layouts import SPLIT_FOLDERS
from training.data.progress import sample_progress
from training.data.splits import Split
from training.evaluation.predictions import read_with_all_labels

HELD_OUT = tuple(name for name, split in SPLIT_FOLDERS.items() if split is not Split.TRAIN)


def training_fingerprints(roots: Sequence[Path]) -> dict[str, list[Fingerprint]]:
    """Return the fingerprints of the train splits of the data sets in `roots`, by data set name."""
    fingerprints_by_data_set: dict[str, list[Fingerprint]] = {}
    for root in roots:
        data = read_with_all_labels(root)
        if data.layout == "classes" and Path(data.name).name.lower() in HELD_OUT:
            raise UsageError(
                f"{root} is not a train split: give the folder above it, or the Train folder there"
            )
        samples = training_samples(data)
        if not samples:
            raise UsageError(f"{root} has no train split whose near-duplicates could be left out")
        for sample, image in decode_pictures(data, samples, sample_progress(f"{data.name} train")):
            fingerprints_by_data_set.setdefault(data.name, []).extend(
                sample_fingerprints(sample, image)
            )
    return fingerprints_by_data_set


def training_samples(data: DataSet) -> list[Sample]:
    """Return the train split, or all samples of a folder that is itself a train split."""
    is_part = data.layout == "classes" and data.name.lower().endswith(("/train", "/training"))
    return list(data.samples) if is_part else data.in_split(Split.TRAIN)


def repeats_training_picture(
    data: DataSet, samples: Sequence[Sample], training_pictures: list[Fingerprint]
) -> npt.NDArray[np.bool_]:
    """Return, for each of `samples`, (n,), whether it is a near-duplicate of a training picture.

    All of `samples` must be in pictures that can be decoded.
    """
    fingerprints = [
        sample_fingerprints(s, image)
        for s, image in decode_pictures(data, samples, sample_progress(f"{data.name} copies"))
    ]
    first, second = ([both[side] for both in fingerprints] for side in (0, 1))
    return np.asarray(
        has_near_duplicate(first, training_pictures)
        | has_near_duplicate(second, training_pictures),
        np.bool_,
    )
