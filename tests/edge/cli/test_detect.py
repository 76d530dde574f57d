from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.cli.detect import DetectOptions, detect
from edge.config.settings import Settings
from tests.support.footage.pictures import write_picture


def test_unreadable_picture_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_picture(tmp_path / "grey.png", 100)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"junk")
    assert detect(Settings(), DetectOptions([bad, good])) == 1
    output = capsys.readouterr()
    assert output.out == f"{good}: no face found\n"
    assert output.err.startswith("mask-patrol: ")


def test_crop_is_classified_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = write_picture(tmp_path / "grey.png", 100)
    assert detect(Settings(), DetectOptions([picture], as_json=True, crop=True)) == 0
    record = json.loads(capsys.readouterr().out)
    (face,) = record["faces"]
    assert face["box"] == [0, 0, record["width"], record["height"]]


def test_copies_overwrite_neither_originals_nor_copies(tmp_path: Path) -> None:
    original = write_picture(tmp_path / "a.png", 100)
    before = original.read_bytes()
    options = DetectOptions([original, original], out=tmp_path)
    assert detect(Settings(), options) == 0
    assert original.read_bytes() == before
    assert {path.name for path in tmp_path.glob("a*.png")} == {"a.png", "a-2.png", "a-3.png"}
