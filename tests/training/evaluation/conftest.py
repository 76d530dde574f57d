"""Data sets that several tests of evaluation share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets


@pytest.fixture(scope="session")
def split_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set with 12 faces of each class in each split."""
    return datasets.kaggle(tmp_path_factory.mktemp("data") / "parted", 12)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 30 boxed photographs, each with a face of every label."""
    faces = [
        ("with_mask", (10.0, 10.0, 60.0, 66.0)),
        ("without_mask", (100.0, 100.0, 40.0, 44.0)),
        ("mask_weared_incorrect", (110.0, 5.0, 50.0, 55.0)),
    ]
    root = tmp_path_factory.mktemp("data") / "scenes"
    return datasets.voc(root, {f"scene{index}": faces for index in range(30)})
