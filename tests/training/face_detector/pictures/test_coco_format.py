"""Reading categories, crowds and splits of COCO; files that are not COCO are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UsageError
from tests.support.training.boxed_pictures import write_pictures
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import BoxKind, LabelledBox
from training.face_detector.pictures.coco_format import read_coco

CONTENT: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "a.png", "width": 160, "height": 120}],
    "categories": [
        {"id": 1, "name": "Face"},
        {"id": 2, "name": "with_mask"},
        {"id": 3, "name": "cat"},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [5, 6, 7, 8]},
        {"id": 3, "image_id": 7, "category_id": 3, "bbox": [9, 9, 9, 9]},
        {"id": 4, "image_id": 7, "category_id": 1, "bbox": [0, 0, 50, 50], "iscrowd": 1},
    ],
}


def _write(root: Path, content: object, name: str = "annotations/faces.json") -> Path:
    write_pictures(root / "images", {"a.png": []})
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))
    return root


def test_categories_and_crowds_are_read(tmp_path: Path) -> None:
    (picture,) = read_coco(_write(tmp_path, CONTENT))
    assert picture.boxes == (
        LabelledBox((1, 2, 3, 4)),
        LabelledBox((5, 6, 7, 8), label="mask"),
        LabelledBox((0, 0, 50, 50), BoxKind.IGNORE),
    )
    assert picture.path == tmp_path / "images" / "a.png"
    assert picture.split is split_of("a.png")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("annotations/instances_train2017.json", Split.TRAIN),
        ("annotations/instances_val2017.json", Split.VALIDATION),
        ("test/_annotations.coco.json", Split.TEST),
    ],
)
def test_published_split_is_kept(tmp_path: Path, name: str, split: Split) -> None:
    (picture,) = read_coco(_write(tmp_path, CONTENT, name))
    assert picture.split is split


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": None}, "is not a COCO file"),
        ({"categories": [{"id": 1, "name": "cat"}]}, "has no category for faces, only cat"),
        ({"images": [{"id": 7, "file_name": "z.png"}]}, "there is no picture z.png"),
        ({"images": [{"id": 7, "file_name": "a.png"}]}, "'width' is missing"),
        (
            {"annotations": [{"id": 8, "image_id": 7, "category_id": 1, "bbox": [1, 1, 0, 1]}]},
            "the box of annotation 8 has no area",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 1, "bbox": [float("nan"), 1, 1, 1]}]},
            "'nan' is not a finite number",
        ),
        (
            {"images": [{"id": 7, "file_name": "a.png", "width": float("inf"), "height": 1}]},
            "'inf' is not a finite number",
        ),
    ],
)
def test_invalid_file_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=r"faces\.json.*" + message):
        list(read_coco(_write(tmp_path, {**CONTENT, **change})))
