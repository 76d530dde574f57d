"""The data of a training run: near-duplicates, weights, and validation crops."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UserError
from tests.support.training import datasets
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS, read_dataset
from training.data.splits import Split
from training.fit.prepare import MAX_WEIGHT, Prepared, prepare

LABELS_2 = LABELS[2]


def prepared(*roots: Path, config: TrainConfig | None = None) -> Prepared:
    datasets = [read_dataset(root, LABELS_2) for root in roots]
    return prepare(datasets, config or TrainConfig(), LABELS_2)


def test_near_duplicates_of_held_out_are_left_out(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 8)
    before = prepared(root)
    shutil.copy(root / "Test/WithMask/0.png", root / "Train/WithMask/again.png")
    shutil.copy(root / "Validation/WithoutMask/1.png", root / "Train/WithoutMask/again.png")
    after = prepared(root)
    assert after.sources[0].left_out_as_copies == before.sources[0].left_out_as_copies + 2
    assert after.sources[0].faces == before.sources[0].faces
    assert after.sources[0].sha256 != before.sources[0].sha256
    assert after.sources[0].pictures == before.sources[0].pictures + 2


def test_train_split_of_copies_alone_is_refused(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 4)
    for label in ("WithMask", "WithoutMask"):
        shutil.rmtree(root / "Train" / label)
        shutil.copytree(root / "Test" / label, root / "Train" / label)
    with pytest.raises(UserError, match=r"no face of mask, no_mask is left to train on.* 8 were"):
        prepared(root)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balance_sets_weight_of_rare_label(tmp_path: Path, balance: float) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    for index in range(8, 12):
        (root / f"Train/WithMask/{index}.png").unlink()
    training = prepared(root, config=TrainConfig(balance=balance)).training
    masked = training.targets.argmax(axis=1) == 0
    assert 0 < masked.sum() < (~masked).sum()
    odds = masked.sum() / (~masked).sum()
    ratio = training.weights[masked].mean() / training.weights[~masked].mean()
    assert ratio == pytest.approx(odds**-balance)


def test_weight_has_a_maximum(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    for index in range(1, 12):
        (root / f"Train/WithMask/{index}.png").unlink()
    training = prepared(root, config=TrainConfig(balance=1.0)).training
    assert training.weights.max() == MAX_WEIGHT < len(training.faces) / 2


def test_class_folders_validate_only_alone(tmp_path: Path) -> None:
    folders = {"with_mask": "mask", "without_mask": "no_mask"}
    plain = datasets.classes(tmp_path / "plain", folders, 40)
    framed = datasets.kaggle(tmp_path / "framed", 4)
    assert list(prepared(plain, framed).held_out.validation) == ["framed"]
    assert list(prepared(plain).held_out.validation) == ["plain"]


def test_limit_keeps_that_many_faces(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 12)
    data = prepared(root, config=TrainConfig(limit=6))
    assert sum(data.sources[0].faces.values()) + data.sources[0].left_out_as_copies == 6
    assert len(data.held_out.validation["tiny"].truth) == 6


def test_unreadable_pictures_count_over_the_data_set(tmp_path: Path) -> None:
    """One of 240 pictures may be unreadable, although its split has fewer than 100."""
    folders = {"mask": "mask", "no_mask": "no_mask"}
    root = datasets.classes(tmp_path / "d", folders, 120)
    validation = read_dataset(root, LABELS_2).in_split(Split.VALIDATION)
    assert len(validation) < 100
    validation[0].path.write_bytes(b"\xff\xd8 not a picture")
    crops = prepared(root).held_out.validation["d"]
    assert len(crops.truth) == len(validation) - 1


def test_rare_label_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 8)
    for split in ("Train", "Validation", "Test"):
        for index in range(1, 8):
            (root / f"{split}/WithMask/{index}.png").unlink()
    prepared(root)
    assert "only 3 faces with the label mask, but 24 with no_mask" in caplog.text
    (root / "Validation/WithMask/0.png").write_bytes(b"")
    with pytest.raises(UserError):
        prepared(root)


def test_faces_of_dark_skin_are_drawn_more_often(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 2)
    shutil.rmtree(root / "Train")
    rng = np.random.default_rng(1)
    for name, colour in (("light", (230, 190, 160)), ("dark", (90, 60, 45)), ("grey", (50,) * 3)):
        for folder in ("WithMask", "WithoutMask"):
            size_px = int(rng.integers(60, 90))
            picture = np.full((size_px, size_px, 3), colour, np.uint8)
            datasets.save(root / "Train" / folder / f"{name}.png", picture)
    found = prepared(root, config=TrainConfig(dark_draws=2.5)).training
    tones = {(230, 190, 160): 1.0, (90, 60, 45): 2.5, (50, 50, 50): 1.0}
    wanted = [tones[tuple(int(v) for v in face.image[0, 0])] for face in found.faces]
    assert len(wanted) == 6
    assert found.draws.tolist() == wanted
