"""Accuracy without near-duplicates of training pictures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import evaluate, evaluate_json


def _without_copies(
    capsys: pytest.CaptureFixture[str], data: Path, trained_on: Path
) -> dict[str, Any]:
    (found,) = evaluate_json(capsys, "--data", data, "--without-copies-of", trained_on)
    without: dict[str, Any] = found["without_copies"]
    return without


def test_near_duplicates_of_training_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.kaggle(tmp_path / "data", 4)
    rng = np.random.default_rng(5)
    for path in sorted(data.rglob("*.png")):  # Drawn faces would be near-duplicates of each other.
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        datasets.save(path, np.asarray(cv2.resize(coarse, (64, 64)), np.uint8))
    assert _without_copies(capsys, data, data)["copies"] == 0
    for name in ("0.png", "2.png"):
        again = cv2.imread(str(data / "Test" / "WithMask" / name))
        cv2.imwrite(str(data / "Train" / "WithMask" / f"again-{name}.jpg"), again)
    found = _without_copies(capsys, data, data)
    assert (found["of"], found["copies"], found["accuracy"]["count"]) == (["data"], 2, 6)
    assert _without_copies(capsys, data, data / "Train")["copies"] == 2
    shutil.rmtree(data / "Train")
    assert evaluate("--data", data, "--without-copies-of", data) == 2
    assert "has no train split" in capsys.readouterr().err
