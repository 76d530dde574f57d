"""Reading boxes and names of classes in YOLO's format, and the errors for invalid files, which name
the line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UsageError
from tests.support.training.boxed_pictures import write_pictures
from training.data.splits import Split
from training.face_detector.pictures.boxed_pictures import LabelledBox
from training.face_detector.pictures.yolo_format import is_yolo, read_yolo

LINE = "0 0.5 0.5 0.25 0.5\n"
BOX = (60.0, 30.0, 40.0, 60.0)  # in a picture of 160x120 pixels


def _write(root: Path, lines: str = LINE, part: str = "") -> Path:
    write_pictures(root / part / "images", {"a.png": [], "b.png": []})
    (root / part / "labels").mkdir(parents=True)
    (root / part / "labels" / "a.txt").write_text(lines)
    return root


def test_fractions_become_pixels(tmp_path: Path) -> None:
    assert is_yolo(_write(tmp_path))
    a, b = read_yolo(tmp_path)
    assert a.boxes == (LabelledBox(BOX),)
    assert a.size_px == (160, 120)
    assert b.boxes == ()  # no text file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.yaml", "nc: 2\nnames: ['dog', 'with_mask']\n"),
        ("data.yaml", "names:\n- dog\n- with_mask\nnc: 2\n"),
        ("data.yaml", "names:\n  0: dog\n  1: with_mask\n"),
        ("classes.txt", "dog\nwith_mask\n"),
    ],
)
def test_class_names_are_read(tmp_path: Path, name: str, text: str) -> None:
    _write(tmp_path, LINE + LINE.replace("0 ", "1 ", 1))
    (tmp_path / name).write_text(text)
    assert next(read_yolo(tmp_path)).boxes == (LabelledBox(BOX, label="mask"),)


def test_split_folder_is_kept(tmp_path: Path) -> None:
    assert {p.split for p in read_yolo(_write(tmp_path, part="valid"))} == {Split.VALIDATION}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (LINE + "0 0.5 0.5\n", "line 2: expected a class number"),
        ("nan 0.5 0.5 0.25 0.5\n", "line 1: expected a class number"),
        ("inf 0.5 0.5 0.25 0.5\n", "line 1: expected a class number"),
        ("0 60 30 40 60\n", "line 1: the box .* is not in fractions"),
        ("5 0.5 0.5 0.25 0.5\n", "line 1: the class number 5 has no name"),
    ],
)
def test_invalid_line_is_named(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"a\.txt, " + message):
        list(read_yolo(_write(tmp_path, lines)))


def test_classes_without_faces_are_refused(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    with pytest.raises(UsageError, match="has no class for faces, only dog, cat"):
        list(read_yolo(tmp_path))
