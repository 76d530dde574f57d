"""Folders of boxed pictures: the format is recognised, and all formats give the same records."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edge.common.errors import UsageError
from tests.support.encodings import save_with_mark
from tests.support.footage.pictures import flat
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


def write_annotated(root: Path, layout: str) -> list[Path]:
    """Write the same picture with a box in one of the layouts; return its text files."""
    picture = {"wider": "WIDER_train/images/a.jpg"}.get(layout, "images/a.jpg")
    texts = {
        "voc": {
            "annotations/a.xml": "<annotation>\n"
            + datasets.OBJECT.format("face", 16, 12, 48, 60)
            + "</annotation>\n"
        },
        "jsonl": {
            "boxes.jsonl": json.dumps(
                {"file": "a.jpg", "width": 160, "height": 120, "boxes": [[16, 12, 32, 48, "face"]]}
            )
            + "\n"
        },
        "wider": {
            "wider_face_split/wider_face_train_bbx_gt.txt": "a.jpg\n1\n16 12 32 48 0 0 0 0 0 0\n"
        },
        "coco": {
            "annotations/a.json": json.dumps(
                {
                    "images": [{"id": 1, "file_name": "a.jpg", "width": 160, "height": 120}],
                    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [16, 12, 32, 48]}],
                    "categories": [{"id": 1, "name": "face"}],
                }
            )
        },
        "yolo": {"labels/a.txt": "0 0.2 0.3 0.2 0.4\n", "data.yaml": "names: [face]\n"},
        "yolo with classes.txt": {
            "labels/a.txt": "0 0.2 0.3 0.2 0.4\n",
            "classes.txt": "face\n",
        },
    }[layout]
    for name in (picture, *texts):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / picture), flat(90))
    for name, text in texts.items():
        (root / name).write_text(text)
    return [root / name for name in texts]


LAYOUTS = ["voc", "jsonl", "wider", "coco", "yolo", "yolo with classes.txt"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_annotations_of_a_windows_editor_are_read(tmp_path: Path, layout: str) -> None:
    files = write_annotated(tmp_path, layout)
    expected = read_boxed_pictures([tmp_path])
    assert expected[0].boxes[0].box_px == pytest.approx((16, 12, 32, 48))
    for file in files:
        save_with_mark(file)
    assert read_boxed_pictures([tmp_path]) == expected


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "voc"])
def test_annotations_in_utf_16_are_named(tmp_path: Path, layout: str) -> None:
    for file in write_annotated(tmp_path, layout)[::-1]:
        save_with_mark(file, "utf-16-le")
        with pytest.raises(UsageError, match=rf"{file.name}.* UTF-16: save it as UTF-8"):
            read_boxed_pictures([tmp_path])
        save_with_mark_removed(file)


def save_with_mark_removed(file: Path) -> None:
    file.write_text(file.read_bytes().decode("utf-16").replace("\r\n", "\n"))


def test_encodings_of_xml_are_read_or_named(tmp_path: Path) -> None:
    """XML may be in UTF-16, or in the encoding that its first line states."""
    (file,) = write_annotated(tmp_path, "voc")
    expected = read_boxed_pictures([tmp_path])
    text = f"<!-- Tür -->{file.read_text()}"
    declared = f'<?xml version="1.0" encoding="windows-1252"?>{text}'
    for raw in (text.encode("utf-16"), declared.encode("cp1252")):
        file.write_bytes(raw)
        assert read_boxed_pictures([tmp_path]) == expected
    file.write_bytes(text.encode("cp1252"))
    with pytest.raises(UsageError, match=r"a\.xml cannot be read: .*probably Windows-1252"):
        read_boxed_pictures([tmp_path])
