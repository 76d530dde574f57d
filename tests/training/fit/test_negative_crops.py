"""Boxes without a face: sampled from scenes, with an uncertain target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from edge.common.errors import UsageError, UserError
from tests.support.training import datasets
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS, read_dataset
from training.fit.negative_crops import no_face_training, no_face_validation
from training.fit.prepare import prepare

FACE: Box = (60.0, 50.0, 60.0, 72.0)


@pytest.mark.slow
def test_scenes_give_uncertain_negatives(tmp_path: Path) -> None:
    scenes = {f"scene{i}": [("with_mask" if i % 2 else "without_mask", FACE)] for i in range(40)}
    config = TrainConfig(empty_per_picture=2)
    root = datasets.voc(tmp_path / "scenes", scenes)
    data = prepare([read_dataset(root, LABELS[2])], config, LABELS[2])
    training = data.training
    faces = training.draws == config.annotated_draws
    assert 20 < faces.sum() < 36
    empty = training.targets[~faces]
    assert len(empty) > 0
    np.testing.assert_allclose(empty, np.tile([0.9, 0.1], (len(empty), 1)), rtol=1e-6)
    (crops,) = data.held_out.empty
    assert crops.shape[1:] == (96, 96, 3)
    assert len(crops) > 0
    assert list(data.held_out.validation) == ["scenes"]


def _folder(root: Path, counts: dict[str, int], size_px: int = 120) -> Path:
    for split, count in counts.items():
        for number in range(count):
            datasets.save(root / split / f"{number}.png", datasets.pattern(size_px, number))
    return root


@pytest.mark.slow
def test_folder_of_boxes_without_a_face_is_trained_on(tmp_path: Path) -> None:
    faces = datasets.kaggle(tmp_path / "tiny", 10)
    folder = _folder(tmp_path / "walls", {"train": 3, "validation": 2, "test": 1})
    config = TrainConfig()
    data = prepare([read_dataset(faces, LABELS[2])], config, LABELS[2], folder)
    plain = prepare([read_dataset(faces, LABELS[2])], config, LABELS[2])
    assert len(data.training.faces) == len(plain.training.faces) + 3
    np.testing.assert_allclose(data.training.targets[-3:], np.tile([0.9, 0.1], (3, 1)), rtol=1e-6)
    assert data.training.faces[-1].box_px == (22.5, 22.5, 75.0, 75.0)
    (crops,) = data.held_out.empty
    assert crops.shape == (2, 96, 96, 3)
    assert [(source.name, source.pictures) for source in data.sources] == [
        ("tiny", plain.sources[0].pictures),
        ("walls", 5),
    ]


def test_folder_needs_both_splits(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "walls", {"train": 1})
    assert len(no_face_training(folder)) == 1
    with pytest.raises(UsageError, match=r"walls/validation holds no picture: .* --no-face DIR"):
        no_face_validation(folder)


def test_damaged_crop_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "walls", {"train": 1})
    (folder / "train" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"train/a\.jpg cannot be decoded: remove it"):
        no_face_training(folder)
