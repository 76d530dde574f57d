"""Statistics of a data set: what is read, and what the contact sheets show."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edge.common.errors import UserError
from tests.support.training.patterns import pattern_folders, stats_of
from training.data.datasets import LABELS, read_dataset
from training.exploration.dataset_stats import FACES_PER_SHEET

TWO, THREE = LABELS[2], LABELS[3]


def test_unreadable_pictures_are_listed(tmp_path: Path) -> None:
    root = pattern_folders(tmp_path / "d", {"mask": 6, "no_mask": 4})
    (root / "mask" / "mask-2.png").write_bytes(b"no picture")
    stats = stats_of(root)
    assert [face.sample.label for face in stats.faces].count("mask") == 5
    assert stats.unreadable == [root / "mask" / "mask-2.png"]
    assert {label: len(faces) for label, faces in stats.sheet_faces.items()} == {
        "mask": 5,
        "no_mask": 4,
    }


def test_no_readable_picture_is_an_error(tmp_path: Path) -> None:
    root = pattern_folders(tmp_path / "d", {"mask": 1})
    (root / "mask" / "mask-0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 1 pictures of .*d can be decoded"):
        stats_of(root)


def test_sheet_is_spread_and_depends_on_seed(tmp_path: Path) -> None:
    root = pattern_folders(tmp_path / "d", {"mask": 100})
    names = [
        [name for _, name in stats_of(root, seed=seed).sheet_faces["mask"]] for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]
    order = [sample.path.name for sample in read_dataset(root, THREE).samples]
    places = [order.index(name) for name in names[0]]
    assert len(places) == FACES_PER_SHEET
    assert all(0 < b - a <= 5 for a, b in itertools.pairwise(places))


def test_limit_is_spread_over_the_data_set(tmp_path: Path) -> None:
    stats = stats_of(pattern_folders(tmp_path / "d", {"mask": 9, "no_mask": 9}), limit=6)
    assert [face.sample.label for face in stats.faces] == ["mask"] * 3 + ["no_mask"] * 3
    assert stats.left_out == 12
