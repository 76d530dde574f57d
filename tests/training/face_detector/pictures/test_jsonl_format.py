"""Reading boxes.jsonl, and the errors for invalid files, which name the line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edge.common.errors import UsageError
from tests.support.training.boxed_pictures import write_jsonl
from training.face_detector.pictures.boxed_pictures import BoxKind, LabelledBox
from training.face_detector.pictures.jsonl_format import read_jsonl

GOOD = {"file": "a.png", "width": 160, "height": 120, "set": "street"}


def test_boxes_and_set_are_read(tmp_path: Path) -> None:
    write_jsonl(tmp_path, {"a.png": []})
    entry = {**GOOD, "boxes": [[1, 2, 3, 4, "face", 0.9, "teacher"], [5, 6, 7, 8, "ignore"]]}
    (tmp_path / "boxes.jsonl").write_text(json.dumps(entry) + "\n\n")
    (picture,) = read_jsonl(tmp_path)
    assert picture.source == "street"
    assert picture.size_px == (160, 120)
    assert picture.boxes == (
        LabelledBox((1, 2, 3, 4)),
        LabelledBox((5, 6, 7, 8), BoxKind.IGNORE),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: "),
        (json.dumps({"file": "a.png"}), "line 2: 'width' is missing"),
        (json.dumps({**GOOD, "file": "b.png", "boxes": []}), "line 2: there is no picture"),
        (json.dumps({**GOOD, "boxes": [[1, 2, 0, 4, "face"]]}), "line 2: the box .* has no area"),
        (json.dumps({**GOOD, "boxes": [[1, 2, 3, 4, "cat"]]}), "line 2: the class 'cat'"),
        (json.dumps({**GOOD, "boxes": [[1, 2]]}), r"line 2: expected \[x, y, width, height, class"),
        (json.dumps({**GOOD, "boxes": [[1, 2, 3, 4]]}), r"line 2: expected \[x, y"),
        (json.dumps({**GOOD, "boxes": [5]}), r"line 2: expected \[x, y"),
        (json.dumps({**GOOD, "boxes": 5}), "line 2: expected a list of boxes"),
        (json.dumps({**GOOD, "file": 5, "boxes": []}), "line 2: there is no picture"),
        (json.dumps({**GOOD, "width": math.inf, "boxes": []}), "line 2: 'inf' is not a finite"),
        (json.dumps({**GOOD, "boxes": [[math.inf, 2, 3, 4, "face"]]}), "line 2: 'inf' is not a"),
        (json.dumps({**GOOD, "boxes": [[1, math.nan, 3, 4, "face"]]}), "line 2: 'nan' is not a"),
        (json.dumps({**GOOD, "boxes": [[10**400, 2, 3, 4, "face"]]}), "line 2: '1000000"),
        (json.dumps({**GOOD, "boxes": [["a", 2, 3, 4, "face"]]}), "line 2: 'a' is not a finite"),
        (json.dumps([]), "line 2: expected a JSON object"),
        ("null", "line 2: expected a JSON object"),
    ],
)
def test_invalid_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    write_jsonl(tmp_path, {"a.png": []})
    with (tmp_path / "boxes.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match=r"boxes\.jsonl, " + message):
        list(read_jsonl(tmp_path))
