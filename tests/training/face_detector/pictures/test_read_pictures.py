"""Folders of boxed pictures: the format is recognised, and all formats give the same records."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UsageError
from tests.support.training import datasets
from tests.support.training.boxed_pictures import write_jsonl
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import BoxKind, LabelledBox
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures

BOX = (10.0, 20.0, 30.0, 40.0)


def test_voc_classes_become_labels(tmp_path: Path) -> None:
    datasets.voc(tmp_path / "v", {"a": [("with_mask", BOX), ("face", BOX), ("dog", BOX)]})
    (picture,) = read_boxed_pictures([tmp_path / "v"])
    assert picture.boxes == (LabelledBox(BOX, label="mask"), LabelledBox(BOX))
    assert (picture.path.name, picture.source) == ("a.png", "v")


def test_split_depends_on_file_name(tmp_path: Path) -> None:
    scenes = {f"{number}.png": [(BOX, "face")] for number in range(12)}
    pictures = read_boxed_pictures([write_jsonl(tmp_path / "j", scenes)])
    assert [p.split for p in pictures] == [split_of(p.path.name) for p in pictures]
    parts = [of_split(pictures, split) for split in Split]
    assert sum(map(len, parts)) == 12
    assert all(parts)


def test_single_inner_folder_is_entered(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "outer" / "inner", {"a.png": [(BOX, "face"), (BOX, "ignore")]})
    (picture,) = read_boxed_pictures([tmp_path / "outer"])
    assert len(picture.of_kind(BoxKind.FACE)) == len(picture.of_kind(BoxKind.IGNORE)) == 1


def test_unknown_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match=r"x holds no boxed pictures .* WIDER FACE"):
        read_boxed_pictures([tmp_path / "x"])
    with pytest.raises(UsageError, match="nowhere does not exist"):
        read_boxed_pictures([tmp_path / "nowhere"])


def test_data_without_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no box of a face"):
        read_boxed_pictures([write_jsonl(tmp_path / "j", {"a.png": []})])


def test_folder_given_twice_is_refused(tmp_path: Path) -> None:
    root = write_jsonl(tmp_path / "j", {"a.png": [(BOX, "face")]})
    with pytest.raises(UsageError, match="given 2 times"):
        read_boxed_pictures([root, root])
