"""The data of a run in memory: faces to train on, crops to validate on, and digests."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.augmentation.synthetic_masks import wearing_styles_for
from training.common.train_config import TrainConfig
from training.data.crops import (
    Face,
    decode_samples,
    evaluation_crop,
    evaluation_view,
    is_evaluated,
    training_face,
)
from training.data.datasets import DataSet, check_classes
from training.data.duplicates import Fingerprint, has_near_duplicate, sample_fingerprints
from training.data.label_balance import warn_about_rare_labels
from training.data.progress import sample_progress, subsample
from training.data.splits import Split
from training.evaluation.skin_tone import looks_dark
from training.fit.batches import MaskTransfer, TrainingSet
from training.fit.negative_crops import (
    NegativeSampler,
    negative_crops,
    negative_face,
    no_face_pictures,
    no_face_training,
    no_face_validation,
)
from training.network.model import SIZE_PX

log = logging.getLogger(__name__)

#: Maximum weight of a face, however rare its label is in a data set. With higher weights, the
#: network would memorise a handful of faces, to the detriment of all other faces.
MAX_WEIGHT = 3.0


@dataclass(frozen=True)
class CropSet:
    """Crops as the Pi would make them, (n, 96, 96, 3) uint8, and the index of their label, (n,)."""

    pixels: Pixels
    truth: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A data set as it was used: the faces by label, the number of pictures, and a digest.

    `sha256` is the digest of the pictures' names and bytes.
    """

    name: str
    faces: dict[str, int]
    left_out_as_copies: int
    pictures: int
    sha256: str


@dataclass(frozen=True)
class HeldOut:
    """What a run is validated on.

    `validation`: face crops by data set. `empty`: crops without a face, each (n, 96, 96, 3) uint8:
    those from the scenes of the validation splits, and those of the folder `--no-face`, if there
    are any. `fingerprints`: the fingerprints of all pictures that must not be trained on.
    """

    validation: dict[str, CropSet]
    empty: list[Pixels]
    fingerprints: list[Fingerprint]


@dataclass(frozen=True)
class Prepared:
    """The data of a run."""

    training: TrainingSet
    held_out: HeldOut
    sources: list[Source]


def prepare(
    datasets: list[DataSet],
    config: TrainConfig,
    labels: tuple[str, ...],
    no_face: Path | None = None,
) -> Prepared:
    """Read every picture that the run needs; `no_face` is a folder of crops without a face, as
    `training.fit.negative_crops` describes it.

    `crops.decode_samples` says what happens to pictures that cannot be decoded.
    """
    warn_about_rare_labels(datasets, labels)
    check_classes(datasets, Split.TRAIN, labels)
    held_out = read_held_out_of_all(datasets, config, labels, no_face)
    return prepare_beside(datasets, held_out, config, labels, no_face)


def read_held_out_of_all(
    datasets: list[DataSet],
    config: TrainConfig,
    labels: tuple[str, ...],
    no_face: Path | None = None,
) -> HeldOut:
    """Return what `read_held_out` returns; raise UserError if a label has no validation face.

    Scores are calibrated, and thresholds are chosen, on faces of every label.
    """
    check_classes(datasets, Split.VALIDATION, labels)
    held_out = read_held_out(datasets, config, labels, no_face)
    found = {int(index) for crops in held_out.validation.values() for index in crops.truth}
    missing = [label for index, label in enumerate(labels) if index not in found]
    if missing:
        raise UserError(
            f"no picture of {', '.join(missing)} is left in the validation split: all of them are"
            " unreadable or too small, or --limit left them out"
        )
    return held_out


def _check_trained(sources: list[Source], labels: tuple[str, ...]) -> None:
    missing = [label for label in labels if not any(source.faces[label] for source in sources)]
    if missing:
        copies = sum(source.left_out_as_copies for source in sources)
        raise UserError(
            f"no face of {', '.join(missing)} is left to train on: all of them are unreadable or"
            " too small, --limit left them out, or they are near-duplicates of validation and test"
            f" pictures, of which {copies} were left out: train on other pictures than those that"
            " the model is measured on"
        )


def prepare_beside(
    datasets: list[DataSet],
    kept_back: HeldOut,
    config: TrainConfig,
    labels: tuple[str, ...],
    no_face: Path | None = None,
) -> Prepared:
    """Read the train splits, without near-duplicates of the pictures in `kept_back`.

    Raises UserError if no face of a label is left.
    """
    parts = [
        _read_training_split(data, config, labels, kept_back.fingerprints) for data in datasets
    ]
    _check_trained([source for _, source in parts], labels)
    if no_face is not None:
        parts.append(_read_no_face(no_face, config, labels))
    training = _concatenate([part for part, _ in parts], _mask_transfer(parts, config, labels))
    training = dataclasses.replace(training, style=config.style)
    return Prepared(training, kept_back, [source for _, source in parts])


def read_held_out(
    datasets: list[DataSet],
    config: TrainConfig,
    labels: tuple[str, ...],
    no_face: Path | None = None,
) -> HeldOut:
    """Read the validation splits, and fingerprint the validation and test splits."""
    fingerprints: list[Fingerprint] = []
    validation = {}
    for data in datasets:
        crops, prints = _read_held_out_of(data, config.limit, labels)
        fingerprints += prints
        if len(crops.truth):
            validation[data.name] = crops
    # The labels of plain class folders belong to pictures, which may show another face as well, so
    # accuracy on them means less. They are used only if there are no other data sets.
    sure = [d.name for d in datasets if d.layout != "classes" and d.name in validation]
    validation = {name: validation[name] for name in sure or validation}
    empty = [np.concatenate([negative_crops(data, config) for data in datasets])]
    if no_face is not None:
        empty.append(no_face_validation(no_face))
    return HeldOut(validation, [crops for crops in empty if len(crops)], fingerprints)


def _read_held_out_of(
    data: DataSet, limit: int | None, labels: tuple[str, ...]
) -> tuple[CropSet, list[Fingerprint]]:
    """Return the validation crops, and the fingerprints of all pictures that must not be trained
    on.
    """
    crops, prints = read_crops(data, Split.VALIDATION, limit, labels)
    _, more = read_crops(data, Split.TEST, limit, labels)
    return crops, prints + more


def read_crops(
    data: DataSet, split: Split, limit: int | None, labels: tuple[str, ...]
) -> tuple[CropSet, list[Fingerprint]]:
    """Return the crops of one split, as the Pi would make them, and two fingerprints of each."""
    fingerprints: list[Fingerprint] = []
    crops, truth = [], []
    samples = [s for s in subsample(data.in_split(split), limit) if is_evaluated(s)]
    for sample, image in decode_samples(data, samples, sample_progress(f"{data.name} {split}")):
        fingerprints += sample_fingerprints(sample, image)
        crop = evaluation_crop(sample, image)
        if crop is not None:
            crops.append(crop)
            truth.append(labels.index(sample.label))
    pixels = np.stack(crops) if crops else np.zeros((0, SIZE_PX, SIZE_PX, 3), np.uint8)
    return CropSet(pixels, np.array(truth, np.int64)), fingerprints


def _read_training_split(
    data: DataSet, config: TrainConfig, labels: tuple[str, ...], held_out: list[Fingerprint]
) -> tuple[TrainingSet, Source]:
    faces: list[Face] = []
    fingerprints: list[Fingerprint] = []
    empty: list[Face] = []
    empty_boxes = NegativeSampler(data, config.seed, config.empty_per_picture)
    for sample, image in decode_samples(
        data,
        subsample(data.in_split(Split.TRAIN), config.limit),
        sample_progress(f"{data.name} train"),
    ):
        empty += [negative_face(image, box) for box in empty_boxes.of(sample, image)]
        face = training_face(data, sample, image)
        if face is not None:
            faces.append(face)
            fingerprints += sample_fingerprints(sample, image)
    copied = has_near_duplicate(fingerprints, held_out).reshape(-1, 2).any(axis=1)
    kept = [face for face, copy in zip(faces, copied, strict=True) if not copy]
    counts = Counter(face.label for face in kept)
    log.info(
        "%s: training on %s, left out %d near-duplicates of validation and test pictures",
        data.name,
        ", ".join(f"{count} {label}" for label, count in counts.items()),
        int(copied.sum()),
    )
    source = Source(
        data.name,
        {label: counts[label] for label in labels},
        int(copied.sum()),
        *_digest({s.path for s in data.samples if s.split is not Split.TEST}, data.root),
    )
    return _training_set(data.name, kept, empty, config, labels), source


def _read_no_face(
    folder: Path, config: TrainConfig, labels: tuple[str, ...]
) -> tuple[TrainingSet, Source]:
    faces = no_face_training(folder)
    log.info("%s: training on %d boxes without a face", folder, len(faces))
    paths = [
        path
        for split in (Split.TRAIN, Split.VALIDATION)
        for path in no_face_pictures(folder, split)
    ]
    source = Source(folder.resolve().name, {}, 0, *_digest(paths, folder))
    draws = np.full(len(faces), config.draws.get(source.name, config.empty_draws), np.float32)
    training = _training_set(source.name, [], faces, config, labels)
    return dataclasses.replace(training, draws=draws), source


def _training_set(
    name: str, faces: list[Face], empty: list[Face], config: TrainConfig, labels: tuple[str, ...]
) -> TrainingSet:
    """Return the faces of a data set, each with its target, its weight, and the number of times
    that it is drawn in an epoch.

    Within a data set a rare label has a higher weight, so that the kind of picture says little
    about the label.
    """
    counts = Counter(face.label for face in faces)
    targets, weights, draws = [], [], []
    for face in faces:
        targets.append(_soft_target(face.label, config, labels))
        rarity = len(faces) / len(counts) / counts[face.label]
        weights.append(min(MAX_WEIGHT, rarity**config.balance))
        draws.append(config.draws.get(name, config.annotated_draws if face.annotated else 1.0))
        if config.dark_draws != 1 and looks_dark(evaluation_view(face)):
            draws[-1] *= config.dark_draws
    return TrainingSet(
        faces + empty,
        np.array(targets + [_no_alert(config, labels)] * len(empty), np.float32).reshape(
            -1, len(labels)
        ),
        np.array(weights + [1.0] * len(empty), np.float32),
        np.array(draws + [config.empty_draws] * len(empty), np.float32),
    )


def _no_alert(config: TrainConfig, labels: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Return the target of boxes without a face."""
    target = np.full(len(labels), config.empty_alert, np.float32)
    target[labels.index("mask")] = 1 - config.empty_alert * (len(labels) - 1)
    return target


def _soft_target(
    label: str, config: TrainConfig, labels: tuple[str, ...]
) -> npt.NDArray[np.float32]:
    target = np.full(len(labels), config.label_smoothing / len(labels), np.float32)
    target[labels.index(label)] += 1 - config.label_smoothing
    return target


def _mask_transfer(
    parts: list[tuple[TrainingSet, Source]], config: TrainConfig, labels: tuple[str, ...]
) -> MaskTransfer | None:
    """Return the masks to transfer, or None.

    Only faces that the detector boxed are donors, because their masks are at the expected place.
    """
    donors = [
        face
        for part, _ in parts
        for face in part.faces
        if face.label == "mask" and not face.annotated
    ]
    if not donors or config.put_on <= 0:
        return None
    targets = {label: _soft_target(label, config, labels) for label in labels}
    return MaskTransfer(donors, wearing_styles_for(labels), targets, config.put_on)


def _concatenate(parts: list[TrainingSet], mask_transfer: MaskTransfer | None) -> TrainingSet:
    return TrainingSet(
        [face for part in parts for face in part.faces],
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.draws for part in parts]),
        mask_transfer,
    )


def _digest(paths: Iterable[Path], root: Path) -> tuple[int, str]:
    """Return the number of pictures that a run uses of a data set, and a digest of them.

    The digest covers their names and bytes.
    """
    used = sorted(paths)
    total = hashlib.sha256()
    for path in used:
        total.update(f"{path.relative_to(root).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return len(used), total.hexdigest()
