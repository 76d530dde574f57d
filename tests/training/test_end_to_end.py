"""From pictures to a converted model: train, kill, resume, convert, evaluate."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import evaluate, evaluate_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EPOCHS = 2


@dataclass(frozen=True)
class Run:
    """The paths of one training run."""

    data: Path
    folder: Path
    model: Path

    def command(self, *more: str) -> list[str]:
        return [
            *("-m", "training", "train", "--data", str(self.data)),
            *("--run-folder", str(self.folder), "--epochs", str(EPOCHS), "--batch", "8"),
            *("--net", "small"),
            *("--licence", "tiny=drawn by a test", *more),
        ]

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "history.json").read_bytes())
        return found


def run_in(folder: Path, data: Path) -> Run:
    return Run(data, folder / "run", folder / "run" / "mask.keras")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.kaggle(tmp_path_factory.mktemp("data") / "tiny", 16)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Run:
    """Return a run that was killed after its first epoch and then resumed to its end."""
    run = run_in(tmp_path_factory.mktemp("killed"), data)
    with subprocess.Popen(
        [sys.executable, *run.command()], cwd=datasets.ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        log = []
        for line in process.stderr:
            log.append(line)
            if '"epoch":1,' in line:
                process.kill()
                break
        else:
            pytest.fail("".join(log))
    assert [entry["epoch"] for entry in run.history()] == [1]
    assert not run.model.with_suffix(".json").exists()
    done = datasets.python(*run.command("--resume"), compiled=False)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def converted(resumed: Run) -> Path:
    out = resumed.model.with_suffix(".tflite")
    done = datasets.python(
        *("-m", "convert", "--model", resumed.model, "--out", out, "--data", resumed.data)
    )
    assert done.returncode == 0, done.stderr
    assert "agrees with Keras" in done.stdout
    return out


@pytest.mark.slow
def test_resumed_run_equals_uninterrupted_run(tmp_path: Path, data: Path, resumed: Run) -> None:
    unbroken = run_in(tmp_path, data)
    done = datasets.python(*unbroken.command(), compiled=False)
    assert done.returncode == 0, done.stderr
    for one, two in zip(unbroken.history(), resumed.history(), strict=True):
        assert one["epoch"] == two["epoch"]
        assert one["loss"] == pytest.approx(two["loss"], abs=2e-3)
        assert one["score"] == pytest.approx(two["score"], abs=2e-2)


def test_report_describes_training_data(resumed: Run) -> None:
    report = json.loads(resumed.model.with_suffix(".json").read_bytes())
    (source,) = report["training_data"]
    assert (source["name"], source["pictures"]) == ("tiny", 64)
    assert source["licence"] == "drawn by a test"
    assert report["config"]["epochs"] == EPOCHS
    assert report["labels"] == ["mask", "no_mask"]
    assert 0 <= report["threshold"] <= 1


@pytest.mark.slow
def test_converted_model_agrees_with_keras(
    resumed: Run, converted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = datasets.python(
        *("-m", "training", "evaluate", "--model", resumed.model, "--data", resumed.data, "--json")
    )
    assert done.returncode == 0, done.stderr
    keras = json.loads(done.stdout)
    (tflite,) = evaluate_json(capsys, "--data", resumed.data, model=converted)
    assert tflite["runtime"] in ("tflite-runtime", "ai-edge-litert")
    assert (keras["split"], keras["figures"]["count"]) == ("test", 32)
    assert tflite["figures"]["accuracy"] == pytest.approx(keras["figures"]["accuracy"], abs=0.1)
    assert tflite["alerts"]["threshold"] == keras["alerts"]["threshold"]


def test_train_folder_is_evaluated_whole(
    converted: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--data", data / "Train", model=converted) == 0
    assert "over 32 faces, 0 left out" in capsys.readouterr().out


def test_other_settings_are_not_resumed(resumed: Run) -> None:
    done = datasets.python(*resumed.command("--resume", "--seed", "2"))
    assert done.returncode == 2
    assert "seed (1 then, 2 now)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_other_pictures_are_not_resumed(tmp_path: Path, resumed: Run) -> None:
    other = datasets.kaggle(tmp_path / resumed.data.name, 8, seed=9)
    command = resumed.command("--resume")
    command[command.index(str(resumed.data))] = str(other)
    done = datasets.python(*command)
    assert done.returncode == 2, done.stderr
    assert "has other pictures: tiny then, tiny now" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_finished_run_needs_its_own_model(tmp_path: Path, resumed: Run) -> None:
    command = [*resumed.command("--resume"), "--out", str(tmp_path / "other.keras")]
    done = datasets.python(*command)
    assert done.returncode == 1, done.stderr
    assert "give the --out that it was trained with" in done.stderr
    assert "Traceback" not in done.stderr
