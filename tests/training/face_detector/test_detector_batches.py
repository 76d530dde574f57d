"""Batches of the face detector: shapes, and the same bytes for the same seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UserError
from edge.detection.point_grid import InputSize
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.detector_batches import Batch, DetectorTrainingSet
from training.face_detector.pictures.read_pictures import read_boxed_pictures

SIZE = InputSize(160, 128)


def _training_set(root: Path, count: int = 6) -> DetectorTrainingSet:
    scenes = {f"{number}.png": [((40.0, 30.0, 40.0, 50.0), "face")] for number in range(count)}
    return DetectorTrainingSet(read_boxed_pictures([write_jsonl(root, scenes)]), SIZE)


def _epoch_of(data: DetectorTrainingSet, seed: int, epoch: int, batch: int) -> Iterator[Batch]:
    """Yield the batches of an epoch, as `DetectorTrainingSet.epoch` does with TensorFlow."""
    for step, chosen in enumerate(data.order(seed, epoch, batch).reshape(-1, batch)):
        yield data.batch(chosen, itertools.repeat(np.random.default_rng([seed, epoch, step])))


def test_epoch_has_batches_of_one_shape(tmp_path: Path) -> None:
    data = _training_set(tmp_path / "j")
    batches = list(_epoch_of(data, seed=1, epoch=0, batch=2))
    assert len(batches) == data.steps(2) == 3
    points = len(data.grid.points)
    for batch in batches:
        shapes = [array.shape for array in batch]
        assert shapes == [(2, 128, 160, 1), (2, points, 4), (2, points), (2, points)]
    assert sum(batch[2].sum() for batch in batches) > 0


def test_batches_depend_on_seed_and_epoch_only(tmp_path: Path) -> None:
    data = _training_set(tmp_path / "j")
    first, again, other = (
        [batch[0] for batch in _epoch_of(data, seed=1, epoch=epoch, batch=2)] for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_unreadable_picture_is_named(tmp_path: Path) -> None:
    data = _training_set(tmp_path / "j", 2)
    for path in (tmp_path / "j" / "images").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"\.png is not a picture"):
        list(_epoch_of(data, seed=1, epoch=0, batch=2))
