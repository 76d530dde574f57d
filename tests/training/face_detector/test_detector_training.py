"""The training loop of the face detector: the loss decreases, and a resumed run gives the same
model as an uninterrupted run.

TensorFlow runs in a process of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.training import datasets
from tests.support.training.boxed_pictures import Scenes, write_jsonl
from training.data.splits import Split, split_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OVERFIT = """
import json, sys
from pathlib import Path
import numpy as np
from training.common.quiet_keras import import_keras
keras = import_keras()
from training.face_detector.detector_config import DetectorConfig
from training.face_detector.detector_training import TrainingLoop
from edge.detection.point_grid import Grid
from training.face_detector.pictures.read_pictures import read_boxed_pictures
from training.face_detector.targets import assign_targets
from training.face_detector.validation_pictures import read_validation_pictures
config = DetectorConfig(
    width=160, height=128, epochs=1, batch=4, learning_rate=4e-3, warm_up_epochs=0.1
)
keras.utils.set_random_seed(1)
pictures = read_boxed_pictures([Path(sys.argv[1])])
held = read_validation_pictures(pictures, config.size)
rows = [assign_targets(Grid.of(config.size), t.faces, t.ignored) for t in held.truths]
columns = [np.stack([getattr(r, n) for r in rows]) for n in ("corners", "positive", "weight")]
loop = TrainingLoop(config, steps=150)
losses = [loop.run([(held.pixels, *columns)] * 25)["loss"] for _ in range(6)]
with loop.trained.averaged_weights():
    print(json.dumps([losses, held.figures(loop.model)]))
"""


def _scenes(count: int) -> Scenes:
    """Return scenes with one or two faces each, in every split."""
    boxes = [
        [((20.0 + 4 * number, 30.0, 30.0, 36.0), "face"), ((110.0, 60.0, 36.0, 44.0), "face")]
        for number in range(count)
    ]
    return {f"{number}.png": each[: 1 + number % 2] for number, each in enumerate(boxes)}


def test_loop_overfits_four_pictures(tmp_path: Path) -> None:
    root = write_jsonl(tmp_path / "j", _scenes(4))
    done = datasets.python("-c", OVERFIT, root)
    assert done.returncode == 0, done.stderr
    losses, figures = json.loads(done.stdout)
    assert losses[-1] < 0.3 * losses[0]
    assert figures["score"] > 0.9


def _command(root: Path, folder: Path) -> list[str | Path]:
    """Return the command that trains for two epochs."""
    return ["-m", "training", *_arguments(root, folder)]


def _arguments(root: Path, folder: Path) -> list[str | Path]:
    return [
        *("detector", "--data", root, "--out", folder / "face.keras"),
        *("--run-folder", folder / "run", "--size", "160x128", "--batch", "2", "--epochs", "2"),
        *("--learning-rate", "2e-3"),  # a higher rate enlarges the differences of rounding
    ]


def _train(root: Path, folder: Path, *more: str) -> Any:
    """Train for two epochs and return the history."""
    done = datasets.python(*_command(root, folder), *more, compiled=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "run" / "history.json").read_bytes())


INTERRUPTED = """
import sys
import tensorflow as tf
import training.face_detector.detector_training as loop
from training.cli import main
write = loop.write_detector_curves
def stop(path, history):
    write(path, history)
    raise KeyboardInterrupt
loop.write_detector_curves = stop
tf.config.run_functions_eagerly(True)
raise SystemExit(main(sys.argv[1:]))
"""


def test_resumed_run_equals_unbroken_run(tmp_path: Path) -> None:
    scenes = _scenes(12)
    assert {split_of(name) for name in scenes} == set(Split)
    root = write_jsonl(tmp_path / "j", scenes)
    # No run compiles the training step, which is faster for two epochs.
    unbroken = _train(root, tmp_path / "a")
    # A fresh process has another order of sets than the process of the unbroken run.
    stopped = datasets.python_process("-c", INTERRUPTED, *_arguments(root, tmp_path / "b"))
    assert stopped.returncode == 130, stopped.stderr
    assert "--resume continues" in stopped.stderr
    assert len(json.loads((tmp_path / "b" / "run" / "history.json").read_bytes())) == 1
    resumed = _train(root, tmp_path / "b", "--resume")
    assert [entry["loss"] for entry in resumed] == pytest.approx(
        [entry["loss"] for entry in unbroken], rel=0.01
    )
    for name in ("face.keras", "face.json", "run/curves.png"):
        assert (tmp_path / "b" / name).is_file()
    report = json.loads((tmp_path / "b" / "face.json").read_bytes())
    assert report["input"] == {"width": 160, "height": 128, "colour": "luma"}
    evaluated = datasets.python(
        *("-m", "training", "evaluate-detector", "--data", root, "--min-width", "10", "--json"),
        *("--detector", tmp_path / "b" / "face.keras"),
    )
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["detector"] == "face.keras"
    write_jsonl(root, {**scenes, "0.png": [((10.0, 10.0, 30.0, 40.0), "face")]})
    refused = datasets.python(*_command(root, tmp_path / "b"), "--resume")
    assert refused.returncode == 2
    assert "has other pictures" in refused.stderr
