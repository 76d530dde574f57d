"""A tiny 3-class model that several tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    return datasets.classes(tmp_path_factory.mktemp("data") / "tiny3", FOLDERS, 40)


@pytest.fixture(scope="session")
def three_class_model(tmp_path_factory: pytest.TempPathFactory, three_class_data: Path) -> Path:
    """Return a model that was trained on this data set for one epoch."""
    out = tmp_path_factory.mktemp("three") / "tiny3.keras"
    code, error = train(three_class_data, out, "--classes", "3", "--draws", "tiny3=2")
    assert code == 0, error
    return out
