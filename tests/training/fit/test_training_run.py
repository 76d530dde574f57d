"""Training runs: their files, runs with a teacher or another model's weights, and refused runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.common.paths import shipped_model
from tests.support.training.keras_weights import correlation
from tests.support.training.train_command import train
from training.cli import main
from training.common.train_config import TrainConfig

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
    assert report["config"]["net"] == "small"
    assert TrainConfig().net == "medium"


@pytest.mark.slow
def test_teacher_must_have_all_classes(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    taught = tmp_path / "taught.keras"
    small = ("--net", "small")
    options = (*small, "--classes", "3", "--teacher", three_class_model)
    code, error = train(three_class_data, taught, *options)
    assert code == 0, error
    report = json.loads(taught.with_suffix(".json").read_bytes())
    teacher = json.loads(three_class_model.with_suffix(".json").read_bytes())
    assert report["config"]["teacher"] == teacher["keras_sha256"]
    two = tmp_path / "two.keras"  # the third output of a teacher and of a start is left out
    options = ("--teacher", three_class_model, "--start", three_class_model)
    code, error = train(three_class_data, two, *small, "--classes", "2", *options)
    assert code == 0, error
    report = json.loads(two.with_suffix(".json").read_bytes())
    assert (report["labels"], report["two_labels"]) == (["mask", "no_mask"], None)
    code, error = train(three_class_data, taught, "--classes", "3", "--teacher", two)
    assert (code, "Traceback" in error) == (1, False)
    assert "a model of mask, no_mask, incorrect_mask needs" in error
    code, error = train(three_class_data, taught, "--teacher", tmp_path / "none.keras")
    assert (code, len(error.strip().splitlines())) == (1, 1)
    assert "cannot read the teacher" in error


@pytest.mark.slow
def test_run_starts_from_other_models_weights(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    out = tmp_path / "started.keras"
    small = ("--net", "small", "--classes", "3", "--start")
    options = (*small, three_class_model, "--learning-rate", "1e-7")
    code, error = train(three_class_data, out, *options)
    assert code == 0, error
    assert correlation(three_class_model, out) > 0.999
    shipped = shipped_model().with_suffix(".keras")
    code, error = train(three_class_data, out, *small, shipped)
    assert (code, "Traceback" in error) == (1, False)
    net = "--net efficientnet-lite0-8"
    assert f"is a {net} model, which cannot start a --net small one: give {net}" in error
