"""Reading the lists of WIDER FACE, and the errors for invalid lists, which name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UsageError
from tests.support.training.boxed_pictures import write_pictures
from training.data.splits import Split
from training.face_detector.pictures.boxed_pictures import BoxKind, LabelledBox
from training.face_detector.pictures.wider_face_format import is_wider_face, read_wider_face

TRAIN = """0--Parade/a.png
2
10 20 30 40 0 0 0 0 0 0
50 60 20 20 0 0 0 1 0 0
0--Parade/b.png
0
0 0 0 0 0 0 0 0 0 0
"""
VAL = """1--Meeting/c.png
2
1 2 3 4 0 0 0 0 0 0
1 2 0 4 0 0 0 0 0 0
"""


def _write(root: Path, train: str, val: str = VAL) -> Path:
    (root / "wider_face_split").mkdir(parents=True)
    for part, text in (("train", train), ("val", val)):
        (root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt").write_text(text)
    write_pictures(root / "WIDER_train" / "images" / "0--Parade", {"a.png": [], "b.png": []})
    write_pictures(root / "WIDER_val" / "images" / "1--Meeting", {"c.png": []})
    return root


def test_both_lists_are_read(tmp_path: Path) -> None:
    root = _write(tmp_path / "w", TRAIN)
    assert is_wider_face(root)
    a, b, c = read_wider_face(root)
    assert a.boxes == (
        LabelledBox((10, 20, 30, 40)),
        LabelledBox((50, 60, 20, 20), BoxKind.IGNORE),
    )
    assert b.boxes == ()
    assert c.boxes == (LabelledBox((1, 2, 3, 4)),)
    assert a.split in (Split.TRAIN, Split.VALIDATION)
    assert c.split is Split.TEST


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("0--Parade/a.png\nmany\n", "line 2: expected the number of faces, not 'many'"),
        ("0--Parade/a.png\n²\n", "line 2: expected the number of faces, not '²'"),
        ("0--Parade/a.png\n1\n1 2 x 4\n", "line 3: expected x, y, width"),
        ("0--Parade/a.png\n1\n1 2 inf 4\n", "line 3: expected x, y, width"),
        ("0--Parade/a.png\n2\n1 2 3 4 0 0 0 0 0 0\n", "line 3: the list ends"),
        ("0--Parade/z.png\n1\n1 2 3 4 0 0 0 0 0 0\n", "line 3: there is no picture"),
    ],
)
def test_invalid_line_is_named(tmp_path: Path, train: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"wider_face_train_bbx_gt\.txt, " + message):
        list(read_wider_face(_write(tmp_path / "w", train)))
