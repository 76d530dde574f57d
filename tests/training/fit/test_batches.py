"""Batches: reproducible order, augmentation, and synthetic masks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.training import datasets
from tests.support.training.datasets import CLOTH, SKIN, plain_face
from training.augmentation.synthetic_masks import (
    WEARING_STYLES,
)
from training.data.crops import Face
from training.fit.batches import Batch, Floats, MaskTransfer, TrainingSet


def epoch_of(data: TrainingSet, seed: int, epoch: int, size: int) -> Iterator[Batch]:
    """Yield the batches of an epoch, as `TrainingSet.epoch` does with TensorFlow."""
    for step, chosen in enumerate(data.order(seed, epoch, size).reshape(-1, size)):
        yield data.batch(chosen, itertools.repeat(np.random.default_rng([seed, epoch, step])))


def targets(*labels: str) -> dict[str, Floats]:
    return {label: np.eye(len(labels), dtype=np.float32)[i] for i, label in enumerate(labels)}


def masked_set(share: float) -> TrainingSet:
    faces = [plain_face(SKIN, "no_mask")] * 64
    labels = ("mask", "no_mask", "incorrect_mask")
    mask_transfer = MaskTransfer(
        [plain_face(CLOTH, "mask")], WEARING_STYLES, targets(*labels), share
    )
    bare = np.tile(targets(*labels)["no_mask"], (64, 1))
    return TrainingSet(faces, bare, np.full(64, 5.0, np.float32), np.ones(64), mask_transfer)


def test_masked_sample_has_target_of_its_style() -> None:
    ((_, shares, weights),) = epoch_of(masked_set(1.0), 1, 0, 64)
    counts = shares.sum(axis=0)
    assert counts[0] > counts[1] > 0
    assert counts[2] > counts[1]
    assert (weights == 1).all()
    ((_, shares, weights),) = epoch_of(masked_set(0.0), 1, 0, 64)
    assert (shares[:, 1] == 1).all()
    assert (weights == 5).all()


def test_mask_transfer_is_reproducible_and_pure() -> None:
    data = masked_set(0.5)
    first, again = list(epoch_of(data, 7, 3, 16)), list(epoch_of(data, 7, 3, 16))
    for one, two in zip(first, again, strict=True):
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left, right)
    assert (data.targets[:, 1] == 1).all()
    assert (data.weights == 5).all()


def test_annotated_and_masked_faces_get_no_mask() -> None:
    face = plain_face(SKIN, "no_mask", annotated=True)
    mask_transfer = masked_set(1.0).mask_transfer
    assert mask_transfer is not None
    assert mask_transfer.sample(face, np.random.default_rng(0)) is None
    assert mask_transfer.sample(plain_face(SKIN, "mask"), np.random.default_rng(0)) is None


def training_set(draws: list[float]) -> TrainingSet:
    rng = np.random.default_rng(0)
    faces = [Face(datasets.face("mask", rng), (2.0, 2.0, 60.0, 60.0), "mask", True) for _ in draws]
    targets = np.eye(2, dtype=np.float32)[np.arange(len(draws)) % 2]
    ones = np.ones(len(draws), np.float32)
    return TrainingSet(faces, targets, ones, np.array(draws, np.float32))


def test_epoch_is_reproducible_and_unlike_next() -> None:
    data = training_set([1.0] * 40)
    first, again, other = (list(epoch_of(data, 7, epoch, 8)) for epoch in (0, 0, 1))
    assert len(first) == len(other) == 5
    for one, two in zip(first, again, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    assert any((a[0] != b[0]).any() for a, b in zip(first, other, strict=True))


def test_face_is_drawn_as_often_as_draws_say() -> None:
    data = training_set([3.0, 1.0, 0.5, 1.5] * 10)
    draws_made = np.zeros(40)
    for epoch in range(50):
        draws_made += np.bincount(data.order(1, epoch, 4), minlength=40)
    per_epoch = draws_made.reshape(10, 4).mean(axis=0) / 50
    assert per_epoch == pytest.approx([3.0, 1.0, 0.5, 1.5], abs=0.1)


def test_batch_has_target_of_each_face() -> None:
    data = training_set([1.0] * 16)
    order = data.order(2, 0, 4)
    for step, (pixels, targets, weights) in enumerate(epoch_of(data, 2, 0, 4)):
        assert pixels.shape == (4, 96, 96, 3)
        assert weights.tolist() == [1] * 4
        np.testing.assert_array_equal(targets, data.targets[order[step * 4 : step * 4 + 4]])
