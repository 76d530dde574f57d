"""The report folder: report.md, evaluation.json and plots, and no pictures of people."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.support.training.evaluate_command import evaluate


@pytest.mark.slow
def test_report_has_metrics_and_plots_only(
    split_folders: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "report"
    assert evaluate("--data", split_folders, scenes, "--out", out) == 0
    text = (out / "report.md").read_text()
    plots = {path.name for path in out.glob("*.png")}
    assert {"alerts.png", "confusion.png", "roc.png", "reliability.png"} <= plots
    assert {"by-data-set.png", "by-colour.png", "by-framing.png"} <= plots
    assert "recall at precision 0.7" in text
    assert all(f"]({name})" in text for name in plots)
    assert all(cv2.imread(str(out / name)) is not None for name in plots)
    assert {path.name for path in out.iterdir()} - plots == {"report.md", "evaluation.json"}
    found = json.loads((out / "evaluation.json").read_bytes())
    assert [each["data"] for each in found["data_sets"]] == ["parted", "scenes"]
    assert [each["data"] for each in found["together"]] == ["all together"]
    assert str(split_folders) not in text + json.dumps(found)
    assert "## all together (test)" in text
    assert "on all together (test)" in capsys.readouterr().out
