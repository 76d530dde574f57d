"""Predictions for the faces of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import evaluate


def test_box_outside_picture_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = datasets.voc(tmp_path / "wrong", {"a": [("with_mask", (5.0, 5.0, 60.0, 60.0))]})
    small = np.zeros((9, 9, 3), np.uint8)
    annotation = data / "annotations" / "a.xml"
    annotation.write_text(annotation.read_text().replace(">5<", ">900<").replace(">65<", ">960<"))
    datasets.save(data / "images" / "a.png", small)
    assert evaluate("--data", data, "--split", "all") == 1
    assert "a.png is invalid: box" in capsys.readouterr().err
