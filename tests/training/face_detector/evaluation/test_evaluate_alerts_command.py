"""`python -m training evaluate-alerts` with the real detectors, and its errors."""

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


def _evaluate(*arguments: object) -> int:
    return main(["evaluate-alerts", *map(str, arguments)])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A frame of the demo clip, whose bare face is boxed, and a copy in which it is not."""
    frame = frames_without_mask()[0]
    height, width = frame.shape[:2]
    left, top, right, bottom = load_detector("haar").find(frame).corners[0].tolist()
    box = (left, top, right - left, bottom - top)
    scenes = {"a.png": [(box, "no_mask")], "b.png": [((5.0, 5.0, 20.0, 20.0), "ignore")]}
    root = write_jsonl(tmp_path / "demo", scenes, (width, height))
    for name in scenes:
        assert cv2.imwrite(str(root / "images" / name), frame)
    return root


@pytest.mark.parametrize("kind", ["learned", "haar"])
def test_faces_and_boxes_without_a_face(
    pictures: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    crops = tmp_path / "crops"
    code = _evaluate(
        *("--data", pictures, "--split", "all", "--kind", kind, "--json", "--no-face", crops)
    )
    assert code == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["pictures"], record["found"]["bare"]["value"]) == (2, 1.0)
    # In the second picture nobody has boxed the face, so it counts as a box without a face.
    assert (record["false_boxes"], record["false_alerts"]) == (50.0, 50.0)
    (crop,) = crops.glob("*/*.jpg")
    assert crop.name == "b-1-0.jpg"
    assert np.shape(cv2.imread(str(crop))) == (120, 120, 3)
    assert (crops / ".gitignore").read_text() == "*\n"


def test_another_detector_confirms_faces_without_a_box(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _evaluate("--data", pictures, "--split", "all", "--other", "haar") == 0
    out = capsys.readouterr().out
    assert "bare" in out
    assert "boxes without a face in 100 photographs: 0.0, of which 0.0 alert" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--no-face", "tests"], 2, "--no-face tests is in the project"),
        (["--kind", "haar", "--min-score", "0.5"], 2, "are for --kind learned"),
        (["--min-score", "1"], 2, "min_score"),
        (["--min-score", "0"], 2, "min_score"),
        (["--classifier", "none.tflite"], 1, "none.tflite"),
        (["--detector", "none.tflite"], 1, "none.tflite"),
        (["--other", "face.h5"], 2, "is no detector"),
        (["--split", "all", "--min-width", "5000"], 1, "give a lower --min-width"),
    ],
)
def test_user_error_is_one_line(
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    assert _evaluate("--data", pictures, *arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
