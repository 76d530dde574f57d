"""Boxed pictures that cannot be decoded: up to 1% of a data set are left out, more are an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from tests.support.training.boxed_pictures import write_jsonl
from training.data.splits import Split
from training.face_detector.pictures.decodable import decodable
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures

BOX = (10.0, 20.0, 30.0, 40.0)


def pictures(root: Path, count: int, broken: int) -> Path:
    write_jsonl(root, {f"{index}.png": [(BOX, "face")] for index in range(count)})
    for index in range(broken):
        (root / "images" / f"{index}.png").write_bytes(b"")
    return root


def test_few_are_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    everything = read_boxed_pictures([pictures(tmp_path / "d", 200, 2)])
    assert len(decodable(everything, everything)) == 198
    assert "1.png is not a picture" in caplog.text
    for split in Split:
        part = of_split(everything, split)
        assert len(part) - len(decodable(part, everything)) <= 2


def test_many_are_an_error(tmp_path: Path) -> None:
    everything = read_boxed_pictures([pictures(tmp_path / "d", 200, 3)])
    with pytest.raises(UserError, match="3 of 200 pictures of d"):
        decodable(everything, everything)
    with pytest.raises(UserError, match=r"none of the pictures .*0\.png"):
        decodable(everything[:2], everything)


@pytest.mark.parametrize(("broken", "is_refused"), [(1, False), (2, True)])
def test_yolo_pictures(tmp_path: Path, broken: int, is_refused: bool) -> None:
    root = pictures(tmp_path / "yolo", 100, broken)
    (root / "boxes.jsonl").unlink()
    for index in range(100):
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{index}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    if is_refused:
        with pytest.raises(UserError, match="2 of 100 pictures"):
            read_boxed_pictures([root])
    else:
        assert len(read_boxed_pictures([root])) == 99
