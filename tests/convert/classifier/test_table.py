"""The table and the JSON object that report a conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.classifier.conversion import Converted, Job, Outcome
from convert.classifier.parity import Parity
from convert.classifier.pictures import CheckSet
from convert.classifier.runtime_check import Run, Runs
from convert.classifier.table import as_dict, as_text

pytestmark = pytest.mark.slow
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32)
OWN_SCORES = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.4, 0.6]], np.float32)
PARITY = Parity(agreement=0.75, differ=0.25, distance=0.1, sure=4, count=4)
TRUTH, PARTS = np.array([0, 1, 0, 1]), {"faces": slice(0, 4)}


def outcome(folder: Path, truth: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Outcome:
    """Return made-up results of four pictures in one runtime; a negative label means unknown."""
    model = folder / "mask.keras"
    model.write_bytes(bytes(5000))
    parts = PARTS if truth[0] >= 0 else {}
    check = CheckSet("4 pictures", np.zeros((4, 2, 2, 3), np.uint8), truth, parts)
    runs = Runs((Run("one", OWN_SCORES, PARITY, 1.234),), {"two": "two is not installed"})
    job = Job(model, folder / "mask.tflite", folder / "x.json", ("int8",), ())
    return Outcome(job, check, SCORES, (Converted("int8", Path("mask.tflite"), 2000, runs),))


def test_json_has_sizes_shares_and_times(tmp_path: Path) -> None:
    assert as_dict(outcome(tmp_path, TRUTH)) == {
        "model": str(tmp_path / "mask.keras"),
        "check_set": "4 pictures",
        "pictures": 4,
        "keras": {"bytes": 5000, "accuracy": {"faces": 1.0}},
        "rows": [
            {
                "variant": "int8",
                "path": "mask.tflite",
                "bytes": 2000,
                "runtime": "one",
                "labels_differ": 0.25,
                "clear_labels_agree": 0.75,
                "scores_distance": 0.1,
                "latency_ms": 1.234,
                "accuracy": {"faces": 0.75},
            }
        ],
        "not_run": {"int8": {"two": "two is not installed"}},
    }


def test_text_aligns_columns_and_names_missing_runtimes(tmp_path: Path) -> None:
    assert list(as_text(outcome(tmp_path, TRUTH))) == [
        "mask.tflite agrees with Keras: int8, 2 kB",
        "on 4 pictures; the columns named after data sets show accuracy:",
        "",
        "variant  runtime  kB  labels differ  scores off  ms a face   faces",
        "Keras              5                                        1.0000",
        "int8     one       2         25.00%      0.1000       1.23  0.7500",
        "int8: not run (two is not installed)",
    ]


def test_accuracy_needs_known_labels(tmp_path: Path) -> None:
    unknown = outcome(tmp_path, np.full(4, -1))
    lines = list(as_text(unknown))
    assert lines[1] == "on 4 pictures:"
    assert [line.rsplit("  ", 1)[1].strip() for line in lines[3:6]] == [
        "accuracy",
        "needs --data",
        "needs --data",
    ]
    assert as_dict(unknown)["rows"][0]["accuracy"] == {}
