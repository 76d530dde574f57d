from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from tests.support import datasets
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS, read_dataset
from training.fit.prepare import MAX_WEIGHT, Prepared, prepare

LABELS_2 = LABELS[2]
FACE: Box = (60.0, 50.0, 60.0, 72.0)


def prepared(*roots: Path, config: TrainConfig | None = None) -> Prepared:
    datasets = [read_dataset(root, LABELS_2) for root in roots]
    return prepare(datasets, config or TrainConfig(), LABELS_2)


def test_copies_of_held_out_pictures_are_not_trained_on(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 8)
    before = prepared(root)
    shutil.copy(root / "Test/WithMask/0.png", root / "Train/WithMask/again.png")
    shutil.copy(root / "Validation/WithoutMask/1.png", root / "Train/WithoutMask/again.png")
    after = prepared(root)
    assert after.sources[0].left_out_as_copies == before.sources[0].left_out_as_copies + 2
    assert after.sources[0].faces == before.sources[0].faces
    assert after.sources[0].sha256 != before.sources[0].sha256
    assert after.sources[0].pictures == before.sources[0].pictures + 2


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_a_rare_label_weighs_more_as_far_as_balance_says(tmp_path: Path, balance: float) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    for index in range(8, 12):
        (root / f"Train/WithMask/{index}.png").unlink()
    training = prepared(root, config=TrainConfig(balance=balance)).training
    masked = training.targets.argmax(axis=1) == 0
    assert 0 < masked.sum() < (~masked).sum()
    odds = masked.sum() / (~masked).sum()
    ratio = training.weights[masked].mean() / training.weights[~masked].mean()
    assert ratio == pytest.approx(odds**-balance)


def test_no_face_weighs_more_than_the_most_however_rare_its_label(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    for index in range(1, 12):
        (root / f"Train/WithMask/{index}.png").unlink()
    training = prepared(root, config=TrainConfig(balance=1.0)).training
    assert training.weights.max() == MAX_WEIGHT < len(training.faces) / 2


def test_scenes_give_faces_and_empty_boxes_whose_target_is_unsure(tmp_path: Path) -> None:
    scenes = {f"scene{i}": [("with_mask" if i % 2 else "without_mask", FACE)] for i in range(40)}
    config = TrainConfig(empty_per_picture=2)
    data = prepared(datasets.voc(tmp_path / "scenes", scenes), config=config)
    training = data.training
    faces = training.draws == config.annotated_draws
    assert 20 < faces.sum() < 36
    empty = training.targets[~faces]
    assert len(empty) > 0
    np.testing.assert_allclose(empty, np.tile([0.7, 0.3], (len(empty), 1)), rtol=1e-6)
    assert data.held_out.empty.shape[1:] == (96, 96, 3)
    assert len(data.held_out.empty) > 0
    assert list(data.held_out.validation) == ["scenes"]


def test_plain_class_folders_are_selected_on_only_for_want_of_better(tmp_path: Path) -> None:
    folders = {"with_mask": "mask", "without_mask": "no_mask"}
    plain = datasets.classes(tmp_path / "plain", folders, 40)
    framed = datasets.kaggle(tmp_path / "framed", 4)
    assert list(prepared(plain, framed).held_out.validation) == ["framed"]
    assert list(prepared(plain).held_out.validation) == ["plain"]


def test_a_limit_keeps_that_many_faces(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    data = prepared(root, config=TrainConfig(limit=6))
    assert sum(data.sources[0].faces.values()) + data.sources[0].left_out_as_copies == 6
    assert len(data.held_out.validation["tiny"].truth) == 6
