from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UsageError
from tests.support import datasets
from training.common.train_config import TrainConfig
from training.data.crops import Face
from training.fit.batches import TrainingSet
from training.fit.checkpoint import RunProgress, load_state, save_state


def training_set(draws: list[float]) -> TrainingSet:
    rng = np.random.default_rng(0)
    faces = [Face(datasets.face("mask", rng), (2.0, 2.0, 60.0, 60.0), "mask", True) for _ in draws]
    targets = np.eye(2, dtype=np.float32)[np.arange(len(draws)) % 2]
    ones = np.ones(len(draws), np.float32)
    return TrainingSet(faces, targets, ones, np.array(draws, np.float32))


def test_an_epoch_is_the_same_each_time_and_unlike_the_next() -> None:
    data = training_set([1.0] * 40)
    first, again, other = (list(data.epoch(7, epoch, 8)) for epoch in (0, 0, 1))
    assert len(first) == len(other) == 5
    for one, two in zip(first, again, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    assert any((a[0] != b[0]).any() for a, b in zip(first, other, strict=True))


def test_a_face_is_looked_at_as_often_as_its_draws_say() -> None:
    data = training_set([3.0, 1.0, 0.5, 1.5] * 10)
    looks = np.zeros(40)
    for epoch in range(50):
        looks += np.bincount(data.order(1, epoch, 4), minlength=40)
    per_epoch = looks.reshape(10, 4).mean(axis=0) / 50
    assert per_epoch == pytest.approx([3.0, 1.0, 0.5, 1.5], abs=0.1)


def test_a_batch_carries_each_faces_target() -> None:
    data = training_set([1.0] * 16)
    order = data.order(2, 0, 4)
    for step, (pixels, targets, weights) in enumerate(data.epoch(2, 0, 4)):
        assert pixels.shape == (4, 96, 96, 3)
        assert weights.tolist() == [1] * 4
        np.testing.assert_array_equal(targets, data.targets[order[step * 4 : step * 4 + 4]])


def test_state_comes_back_whole(tmp_path: Path) -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.array(4, np.int64), np.float32(0.5)]
    progress = RunProgress(2, 0.9, [{"epoch": 1}, {"epoch": 2}], {"epochs": 40, "seed": 1})
    config = TrainConfig()
    kept = RunProgress(2, 0.9, progress.history, {**config.__dict__})
    save_state(tmp_path / "state.npz", arrays, kept)
    found, again = load_state(tmp_path / "state.npz", config)
    assert again == kept
    for a, b in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.asarray(b).dtype


def test_a_run_is_only_resumed_with_its_own_settings(tmp_path: Path) -> None:
    kept = RunProgress(2, 0.9, [], {**TrainConfig(seed=1).__dict__})
    save_state(tmp_path / "state.npz", [], kept)
    with pytest.raises(UsageError, match=r"seed \(1 then, 2 now\)"):
        load_state(tmp_path / "state.npz", TrainConfig(seed=2))


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        load_state(tmp_path / "state.npz", TrainConfig())
    (tmp_path / "state.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(UsageError, match="cannot be read"):
        load_state(tmp_path / "state.npz", TrainConfig())
