"""Training runs: their files, runs with a teacher or another model's weights, and refused runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.training import datasets
from tests.support.training.train_command import train
from training.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_existing_run_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "state.npz").write_bytes(b"hours of work")
    data = tmp_path / "data"
    for name in ("with_mask", "without_mask"):
        (data / name).mkdir(parents=True)
        (data / name / "a.jpg").write_bytes(b"x")
    arguments = ["--data", str(data), "--out", str(tmp_path / "m.keras"), "--run-folder", str(run)]
    assert main(["train", *arguments]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert (run / "state.npz").read_bytes() == b"hours of work"


@pytest.mark.slow
def test_run_writes_curves_and_settings(three_class_model: Path) -> None:
    assert (
        (three_class_model.with_suffix(".run") / "curves.png").read_bytes().startswith(b"\x89PNG")
    )
    report = json.loads(three_class_model.with_suffix(".json").read_bytes())
    assert report["labels"] == ["mask", "no_mask", "incorrect_mask"]
    assert report["config"]["draws"] == {"tiny3": 2.0}
    assert report["config"]["net"] == "medium"


@pytest.mark.slow
def test_teacher_must_have_all_classes(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    taught = tmp_path / "taught.keras"
    options = ("--classes", "3", "--teacher", three_class_model)
    code, error = train(three_class_data, taught, *options, compiled=True)
    assert code == 0, error
    report = json.loads(taught.with_suffix(".json").read_bytes())
    teacher = json.loads(three_class_model.with_suffix(".json").read_bytes())
    assert report["config"]["teacher"] == teacher["keras_sha256"]
    two = tmp_path / "two.keras"  # the third output of a teacher and of a start is left out
    options = ("--classes", "2", "--teacher", three_class_model, "--start", three_class_model)
    code, error = train(three_class_data, two, *options, compiled=True)
    assert code == 0, error
    report = json.loads(two.with_suffix(".json").read_bytes())
    assert (report["labels"], report["two_labels"]) == (["mask", "no_mask"], None)
    code, error = train(three_class_data, taught, "--classes", "3", "--teacher", two)
    assert (code, "Traceback" in error) == (1, False)
    assert "a model of mask, no_mask, incorrect_mask needs" in error
    code, error = train(three_class_data, taught, "--teacher", tmp_path / "none.keras")
    assert (code, len(error.strip().splitlines())) == (1, 1)
    assert "cannot read the teacher" in error


STARTED = """
import sys
import numpy as np
from pathlib import Path
from training.common.quiet_keras import load_model_file
models = [load_model_file(Path(each)) for each in sys.argv[1:]]
first, second = (model.get_layer("shares").get_weights()[0].ravel() for model in models)
print(np.corrcoef(first, second)[0, 1])
"""


@pytest.mark.slow
def test_run_starts_from_other_models_weights(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    out = tmp_path / "started.keras"
    classes = ("--classes", "3", "--start", three_class_model)
    code, error = train(three_class_data, out, *classes, "--learning-rate", "1e-7")
    assert code == 0, error
    alike = datasets.python("-c", STARTED, three_class_model, out)
    assert float(alike.stdout) > 0.999, alike.stderr
    code, error = train(three_class_data, out, *classes, "--net", "small")
    assert (code, "Traceback" in error) == (1, False)
    assert (
        "is a --net medium model, which cannot start a --net small one: give --net medium" in error
    )
