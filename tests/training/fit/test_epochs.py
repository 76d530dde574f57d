"""The epochs of a run: early stopping."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.training import datasets
from training.common.train_config import TrainConfig
from training.fit.epochs import EpochSteps, run_epochs, stale_epochs
from training.fit.run_paths import RunPaths

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
        *("--net", "small", "--epochs", "9", "--batch", "8", "--patience", "2"),
    ]
    done = datasets.python("-c", STOPS, *command, compiled=False)
    assert done.returncode == 0, done.stderr
    assert "stopped early" in done.stderr
    history = json.loads((run / "history.json").read_bytes())
    assert [entry["score"] for entry in history] == [0.5, 0.6, 0.55, 0.55]
    again = datasets.python("-c", STOPS, *command, "--resume", compiled=False)
    assert again.returncode == 0, again.stderr
    assert len(json.loads((run / "history.json").read_bytes())) == 4
    command += ["--resume", "--patience", "9"]
    longer = datasets.python("-c", STOPS, *command, compiled=False)
    assert longer.returncode == 0, longer.stderr
    assert len(json.loads((run / "history.json").read_bytes())) == 9


class _CountingModel:
    """Counts how often it was saved: its file contains the number of the epoch."""

    epoch = 0

    def save(self, path: Path) -> None:
        path.write_text(str(self.epoch))


class _Trained:
    model = _CountingModel()

    def averaged_weights(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def arrays(self) -> list[Any]:
        return []


@pytest.mark.parametrize(("keep_last", "saved"), [(False, "2"), (True, "3")])
def test_best_or_last_model_is_kept(tmp_path: Path, keep_last: bool, saved: str) -> None:
    trained = _Trained()

    def train(epoch: int) -> dict[str, Any]:
        trained.model.epoch = epoch + 1
        return {}

    scores = iter([0.5, 0.7, 0.6])
    steps = EpochSteps(train, lambda: {"score": next(scores)}, lambda path, history: None)
    paths = RunPaths(tmp_path / "m.keras", tmp_path / "run")
    config = TrainConfig(epochs=3)
    run_epochs(trained, steps, config, paths, {}, False, keep_last)  # type: ignore[arg-type]
    assert paths.model.read_text() == saved
