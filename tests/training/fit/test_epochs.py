"""The epochs of a run: early stopping."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.training import datasets
from training.fit.epochs import stale_epochs

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("scores", "stale"), [([], 0), ([0.5], 0), ([0.5, 0.4, 0.4], 2), ([0.5, 0.4, 0.5], 0)]
)
def test_stale_epochs_count_from_last_best(scores: list[float], stale: int) -> None:
    assert stale_epochs([{"score": score} for score in scores]) == stale


STOPS = """
import sys
import training.fit.training_loop
from training.cli import main
scores = iter([0.5, 0.6, 0.55, 0.55, 0.7])
training.fit.training_loop.validation_figures = lambda *_: {
    "accuracy": {"tiny": 0.5}, "score": next(scores)
}
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_run_without_improvement_stops_early(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 8)
    out, run = tmp_path / "m.keras", tmp_path / "run"
    command = [
        *("train", "--data", str(root), "--out", str(out), "--run-folder", str(run)),
        *("--epochs", "9", "--batch", "8", "--patience", "2"),
    ]
    done = datasets.python("-c", STOPS, *command, compiled=False)
    assert done.returncode == 0, done.stderr
    assert "stopped early" in done.stderr
    history = json.loads((run / "history.json").read_bytes())
    assert [entry["score"] for entry in history] == [0.5, 0.6, 0.55, 0.55]
    again = datasets.python("-c", STOPS, *command, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(json.loads((run / "history.json").read_bytes())) == 4
