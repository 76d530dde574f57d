"""A tiny 3-class model of the smallest network, which several tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shared_files import made_once
from tests.support.training import datasets
from tests.support.training.train_command import train

FOLDERS = {
    "with_mask": "mask",
    "without_mask": "no_mask",
    "mask_weared_incorrect": "incorrect_mask",
}


@pytest.fixture(scope="session")
def three_class_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set with 40 faces of each of three classes."""

    def make(folder: Path) -> None:
        datasets.classes(folder / "tiny3", FOLDERS, 40)

    return made_once(tmp_path_factory, "three-class-data", make) / "tiny3"


@pytest.fixture(scope="session")
def three_class_model(tmp_path_factory: pytest.TempPathFactory, three_class_data: Path) -> Path:
    """Return a model that was trained on this data set for one epoch."""

    def make(folder: Path) -> None:
        options = ("--net", "small", "--classes", "3", "--draws", "tiny3=2")
        code, error = train(three_class_data, folder / "tiny3.keras", *options)
        assert code == 0, error

    return made_once(tmp_path_factory, "three-class-model", make) / "tiny3.keras"
