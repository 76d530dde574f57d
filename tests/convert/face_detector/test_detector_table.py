"""The results of a face detector's conversion as text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from convert.face_detector.detector_conversion import DetectorOutcome, DetectorRun
from convert.face_detector.detector_parity import DetectorParity
from convert.face_detector.detector_pictures import DetectorCheckSet
from convert.face_detector.detector_table import detector_dict, detector_text
from convert.job import Job

FIGURES = {"score": 0.8123, "recall_at_1": 0.5, "recall_at_3": 0.6, "recall_at_10": 0.7}


def outcome(folder: Path, figures: dict[str, float]) -> DetectorOutcome:
    model = folder / "face.keras"
    model.write_bytes(b"x" * 4000)
    parity = DetectorParity(background=0.001, distance=0.0125, iou=0.9654, points=9)
    run = DetectorRun("int8", folder / "face.tflite", 194_000, "one", parity, 1.5, figures)
    job = Job(model, folder / "face.tflite", folder / "r.json", ("int8",), ())
    check = DetectorCheckSet("60 drawings", np.zeros((2, 8, 8, 1), np.uint8), None)
    return DetectorOutcome(job, check, figures, (run,))


def test_table_shows_sizes_parity_and_figures(tmp_path: Path) -> None:
    text = "\n".join(detector_text(outcome(tmp_path, FIGURES)))
    assert "face.tflite agrees with Keras: int8, 194 kB" in text
    assert "on 60 drawings:" in text
    (row,) = [line.split() for line in text.splitlines() if line.startswith("int8")]
    assert row == ["int8", "one", "194", "0.0010", "0.0125", "0.965", "1.50", "0.8123", "0.6000"]
    assert "needs --data" in "\n".join(detector_text(outcome(tmp_path, {})))


def test_json_has_all_rows(tmp_path: Path) -> None:
    found = json.loads(json.dumps(detector_dict(outcome(tmp_path, FIGURES))))
    assert found["keras"] == {"bytes": 4000, "figures": FIGURES}
    assert found["rows"][0]["parity"]["iou"] == 0.9654
    assert found["rows"][0]["path"].endswith("face.tflite")
