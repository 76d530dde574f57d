"""The whole way, as a user goes it: train, kill, resume, convert, evaluate in the real runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import datasets
from training.cli import main

pytestmark = pytest.mark.timeout(600)
EPOCHS = 2


@dataclass(frozen=True)
class Run:
    """One training run's places."""

    data: Path
    folder: Path
    model: Path

    def command(self, *more: str) -> list[str]:
        return [
            *("-m", "training", "train", "--data", str(self.data), "--out", str(self.model)),
            *("--run-folder", str(self.folder), "--epochs", str(EPOCHS), "--batch", "8"),
            *("--licence", "tiny=drawn by a test", *more),
        ]

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "history.json").read_bytes())
        return found


def run_in(folder: Path, data: Path) -> Run:
    return Run(data, folder / "state", folder / "models" / "tiny.keras")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.kaggle(tmp_path_factory.mktemp("data") / "tiny", 16)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Run:
    """A run that was killed after its first epoch, and then resumed to its end."""
    run = run_in(tmp_path_factory.mktemp("killed"), data)
    with subprocess.Popen(
        [sys.executable, *run.command()], cwd=datasets.ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if '"epoch":1,' in line:
                process.kill()
                break
        else:
            pytest.fail("".join(said))
    assert [entry["epoch"] for entry in run.history()] == [1]
    assert not run.model.with_suffix(".json").exists()
    done = datasets.python(*run.command("--resume"))
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


def test_a_resumed_run_ends_where_an_unbroken_one_does(
    tmp_path: Path, data: Path, resumed: Run
) -> None:
    unbroken = run_in(tmp_path, data)
    done = datasets.python(*unbroken.command())
    assert done.returncode == 0, done.stderr
    for one, two in zip(unbroken.history(), resumed.history(), strict=True):
        assert one["epoch"] == two["epoch"]
        assert one["loss"] == pytest.approx(two["loss"], abs=2e-3)
        assert one["score"] == pytest.approx(two["score"], abs=2e-2)


def test_the_report_says_what_the_model_was_made_of(resumed: Run) -> None:
    report = json.loads(resumed.model.with_suffix(".json").read_bytes())
    (source,) = report["training_data"]
    assert (source["name"], source["pictures"]) == ("tiny", 64)
    assert source["licence"] == "drawn by a test"
    assert report["config"]["epochs"] == EPOCHS
    assert report["labels"] == ["mask", "no_mask"]
    assert 0 <= report["threshold"] <= 1


def test_a_converted_model_runs_in_the_real_runtime_like_keras(
    resumed: Run, converted: Path
) -> None:
    answers = []
    for model in (resumed.model, converted):
        done = datasets.python(
            *("-m", "training", "evaluate", "--model", model, "--data", resumed.data, "--json")
        )
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    keras, tflite = answers
    assert tflite["runtime"] in ("tflite-runtime", "ai-edge-litert")
    assert (keras["split"], keras["figures"]["count"]) == ("test", 32)
    assert tflite["figures"]["accuracy"] == pytest.approx(keras["figures"]["accuracy"], abs=0.1)
    assert tflite["alerts"]["threshold"] == keras["alerts"]["threshold"]


def test_class_folders_of_one_split_are_evaluated_whole(converted: Path, data: Path) -> None:
    done = datasets.python(
        *("-m", "training", "evaluate", "--model", converted, "--data", data / "Train")
    )
    assert done.returncode == 0, done.stderr
    assert "over 32 faces, 0 left out" in done.stdout


def test_a_model_is_not_resumed_with_other_settings(resumed: Run) -> None:
    done = datasets.python(*resumed.command("--resume", "--seed", "2"))
    assert done.returncode == 2
    assert "seed (1 then, 2 now)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_is_not_resumed_with_other_pictures(tmp_path: Path, resumed: Run) -> None:
    other = datasets.kaggle(tmp_path / resumed.data.name, 8, seed=9)
    command = resumed.command("--resume")
    command[command.index(str(resumed.data))] = str(other)
    done = datasets.python(*command)
    assert done.returncode == 2, done.stderr
    assert "has other pictures: tiny then, tiny now" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_finished_run_is_not_resumed_into_another_model(tmp_path: Path, resumed: Run) -> None:
    command = [*resumed.command("--resume"), "--out", str(tmp_path / "other.keras")]
    done = datasets.python(*command)
    assert done.returncode == 1, done.stderr
    assert "give the --out that it was trained with" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_folders_may_follow_one_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.kaggle(tmp_path / "data", 1)
    command = ["train", "--data", str(data), str(tmp_path / "absent"), "--out", "m.keras"]
    assert main(command) == 2
    assert "absent does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--epochs", "--batch", "--limit"])
@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_numbers_that_make_no_sense_are_refused_at_once(option: str, number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--data", "tests", "--out", "m.keras", option, number])
    assert caught.value.code == 2


def test_a_run_is_not_written_over_by_mistake(
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


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "--data", "nowhere", "--out", "m.keras"], 2, "nowhere does not exist"),
        (["train", "--data", "tests", "--out", "m.keras"], 2, "expected one of"),
        (["evaluate", "--model", "nowhere.tflite", "--data", "tests"], 1, "nowhere.tflite"),
        (["train", "--data", "tests", "none", "--out", "m.keras"], 2, "expected one of"),
        (["evaluate", "--model", "nowhere.onnx", "--data", "tests"], 2, "neither"),
        (["evaluate", "--model", "models/mask.tflite", "--data", "nowhere"], 2, "nowhere"),
    ],
)
def test_a_users_mistake_is_one_line(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert says in error
