"""`python -m training evaluate-detector` with the cascade, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.footage.pictures import frames_without_mask
from tests.support.training.boxed_pictures import write_jsonl
from training.cli import main
from training.face_detector.evaluation.search_detectors import load_detector

BOX = (10.0, 20.0, 60.0, 70.0)


def _evaluate(*arguments: object) -> int:
    return main(["evaluate-detector", *map(str, arguments)])


def _demo(root: Path) -> Path:
    """Write a frame of the demo clip with the box of its face, and an empty picture with a box."""
    frame = frames_without_mask()[0]
    height, width = frame.shape[:2]
    left, top, right, bottom = load_detector("haar").find(frame).corners[0].tolist()
    box = (left, top, right - left, bottom - top)
    write_jsonl(root, {"a.png": [(box, "face")], "b.png": [(BOX, "face")]}, (width, height))
    assert cv2.imwrite(str(root / "images" / "a.png"), frame)
    assert cv2.imwrite(str(root / "images" / "b.png"), np.full_like(frame, 90))
    return root


def test_cascade_finds_the_face_of_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = _demo(tmp_path / "demo")
    code = _evaluate(
        *("--data", root, "--split", "all", "--json"),
        *("--out", tmp_path / "out", "--misses", tmp_path / "misses"),
    )
    assert code == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert record["detector"] == "haar"
    assert record["groups"]["all"]["faces"] == 2
    assert record["groups"]["all"]["ap_0.5"]["value"] >= 0.25
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == [record]
    assert (tmp_path / "out" / "precision_recall.png").is_file()
    assert (tmp_path / "misses" / ".gitignore").read_text() == "*\n"


def test_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _evaluate("--data", _demo(tmp_path / "demo"), "--split", "all") == 0
    assert "recall, 3 false" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--detector", "a.keras", "b.tflite"], 2, "in two runs"),
        (["--split", "all", "--detector", "face.h5"], 2, "is no detector"),
        (["--split", "all", "--min-width", "500"], 1, "give a lower --min-width"),
        (["--split", "all", "--misses", "tests"], 2, "pictures of people must stay out of it"),
        (["--split", "validation"], 2, "has no picture: give --split all"),
    ],
)
def test_user_error_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    root = write_jsonl(tmp_path / "j", {"0.png": [(BOX, "face")]})
    assert _evaluate("--data", root, *arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
