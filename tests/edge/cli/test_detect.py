from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest

from edge.cli.detect import DetectOptions, detect
from edge.config.settings import Settings, change
from edge.detection.annotate import COLOURS
from tests.support.footage.pictures import write_picture
from tests.support.models.unsure_models import write_model


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


def test_unsure_face_is_shown_as_unsure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path / "m.tflite", {"mask": 1.0, "no_mask": 1.0})
    settings = change(Settings(), classifier={"model": str(model)}, events={"alert_threshold": 1})
    picture = write_picture(tmp_path / "grey.png", 100)
    assert detect(settings, DetectOptions([picture], crop=True, out=tmp_path / "out")) == 0
    assert re.fullmatch(
        rf"{picture}: unsure \((mask|NO MASK) \d+%\) at 0,0 160x120\n", capsys.readouterr().out
    )
    copy = cv2.imread(str(tmp_path / "out" / "grey.png"))
    assert copy is not None
    assert (copy == COLOURS["unsure"]).all(axis=2).any()
    assert detect(settings, DetectOptions([picture], crop=True, as_json=True)) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert face["label"] == "unsure"


def test_copies_overwrite_neither_originals_nor_copies(tmp_path: Path) -> None:
    original = write_picture(tmp_path / "a.png", 100)
    before = original.read_bytes()
    options = DetectOptions([original, original], out=tmp_path)
    assert detect(Settings(), options) == 0
    assert original.read_bytes() == before
    assert {path.name for path in tmp_path.glob("a*.png")} == {"a.png", "a-2.png", "a-3.png"}


def test_folder_is_listed_as_a_source_lists_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("10.png", "2.png"):
        write_picture(photos / name, 100)
    (photos / "._2.png").write_bytes(b"\0\x05\x16\x07")
    (photos / "notes.txt").write_text("no picture")
    alone = write_picture(tmp_path / "a.png", 100)
    out = tmp_path / "out"
    assert detect(Settings(), DetectOptions([photos, alone], out=out)) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = [photos / "2.png", photos / "10.png", alone]
    assert lines == [f"{path}: no face found" for path in expected]
    assert {path.name for path in out.iterdir()} == {"2.png", "10.png", "a.png"}


def test_broken_picture_and_empty_folder_do_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, photos = tmp_path / "empty", tmp_path / "photos"
    for folder in (empty, photos):
        folder.mkdir()
    good = write_picture(photos / "2.png", 100)
    (photos / "1.png").write_bytes(good.read_bytes()[:60])
    assert detect(Settings(), DetectOptions([empty, photos])) == 1
    output = capsys.readouterr()
    assert output.out == f"{good}: no face found\n"
    assert "no pictures in" in output.err
    assert "1.png is cut off" in output.err
