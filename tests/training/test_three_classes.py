"""Three classes, a teacher, and the 2-class model that a 3-class one holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import datasets
from training.fit.training_loop import stale_epochs

pytestmark = pytest.mark.timeout(600)
FOLDERS = {
    "with_mask": "mask",
    "without_mask": "no_mask",
    "mask_weared_incorrect": "incorrect_mask",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.classes(tmp_path_factory.mktemp("data") / "tiny3", FOLDERS, 40)


def train(data: Path, out: Path, *more: str | Path) -> tuple[int, str]:
    done = datasets.python(
        *("-m", "training", "train", "--data", data, "--out", out, "--epochs", "1", "--batch", "8"),
        *("--run-folder", out.with_suffix(".run"), "--fresh", *more),
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("three") / "tiny3.keras"
    code, error = train(data, out, "--classes", "3", "--draws", "tiny3=2")
    assert code == 0, error
    return out


def test_a_run_leaves_its_curves_and_its_settings(model: Path) -> None:
    assert (model.with_suffix(".run") / "curves.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads(model.with_suffix(".json").read_bytes())
    assert report["labels"] == ["mask", "no_mask", "incorrect_mask"]
    assert report["config"]["draws"] == {"tiny3": 2.0}
    assert report["config"]["net"] == "small"


SAME = """
import json
import sys
import numpy as np
from training.common.quiet_keras import load_model_file
from pathlib import Path
from training.fit.binary_model import without_third
whole, part = (load_model_file(Path(each)) for each in sys.argv[1:])
done = json.loads(Path(sys.argv[2]).with_suffix(".json").read_bytes())["calibration"]
pixels = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3)).astype(np.float32)
three, cut, two = (np.asarray(m(pixels)) for m in (whole, without_third(whole), part))
np.testing.assert_allclose(cut, three[:, :2] / three[:, :2].sum(axis=1, keepdims=True), rtol=1e-4)
assert np.ptp(cut[:, 0]) > 0
moved = np.log(cut) * done["scale"] + done["offsets"]
shares = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
np.testing.assert_allclose(two, shares, rtol=1e-3)
"""


def test_the_binary_model_gives_the_shares_of_the_other_two_calibrated(
    tmp_path: Path, data: Path, model: Path
) -> None:
    out = tmp_path / "tiny.keras"
    command = ("-m", "training", "binary", "--model", model, "--out", out, "--data", data)
    done = datasets.python(*command)
    assert done.returncode == 0, done.stderr
    same = datasets.python("-c", SAME, model, out)
    assert same.returncode == 0, same.stderr
    whole, part = (json.loads(m.with_suffix(".json").read_bytes()) for m in (model, out))
    assert part["labels"] == ["mask", "no_mask"]
    assert part["derived_from"] == whole["keras_sha256"] != part["keras_sha256"]
    assert part["training_data"] == whole["training_data"]
    again = datasets.python(
        *("-m", "training", "binary", "--model", out, "--out", out, "--data", data)
    )
    datasets.assert_one_line(again, "has the labels mask, no_mask, but a 3-class model", code=2)


def test_a_teacher_must_know_the_same_classes(tmp_path: Path, data: Path, model: Path) -> None:
    taught = tmp_path / "taught.keras"
    code, error = train(data, taught, "--classes", "3", "--teacher", model)
    assert code == 0, error
    report = json.loads(taught.with_suffix(".json").read_bytes())
    teacher = json.loads(model.with_suffix(".json").read_bytes())
    assert report["config"]["teacher"] == teacher["keras_sha256"]
    code, error = train(data, taught, "--classes", "2", "--teacher", model)
    assert (code, "Traceback" in error) == (1, False)
    assert "a model of mask, no_mask needs" in error
    code, error = train(data, taught, "--teacher", tmp_path / "none.keras")
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


def test_a_run_may_begin_with_another_models_weights(
    tmp_path: Path, data: Path, model: Path
) -> None:
    out = tmp_path / "started.keras"
    classes = ("--classes", "3", "--start", model)
    code, error = train(data, out, *classes, "--learning-rate", "1e-7")
    assert code == 0, error
    alike = datasets.python("-c", STARTED, model, out)
    assert float(alike.stdout) > 0.999, alike.stderr
    code, error = train(data, out, *classes, "--net", "large")
    assert (code, "Traceback" in error) == (1, False)
    assert "is not a --net large model" in error


@pytest.mark.parametrize(
    "wrong", [("--learning-rate", "0"), ("--put-on", "1.5"), ("--put-on", "x")]
)
def test_settings_out_of_range_are_refused(tmp_path: Path, data: Path, wrong: tuple[str]) -> None:
    code, error = train(data, tmp_path / "m.keras", *wrong)
    assert code == 2
    assert wrong[0] in error


@pytest.mark.parametrize("draws", ["tiny3", "tiny3=many", "tiny3=0", "tiny3=-1", "other=2"])
def test_a_weight_that_makes_no_sense_is_refused(tmp_path: Path, data: Path, draws: str) -> None:
    code, error = train(data, tmp_path / "m.keras", "--draws", draws)
    assert (code, len(error.strip().splitlines())) == (2, 1), error
    assert "--draws" in error


@pytest.mark.parametrize(
    ("scores", "stale"), [([], 0), ([0.5], 0), ([0.5, 0.4, 0.4], 2), ([0.5, 0.4, 0.5], 0)]
)
def test_stale_epochs_count_from_the_last_best(scores: list[float], stale: int) -> None:
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


def test_a_run_that_gets_no_better_stops_early_and_is_finished(tmp_path: Path) -> None:
    root = datasets.kaggle(tmp_path / "tiny", 8)
    out, run = tmp_path / "m.keras", tmp_path / "run"
    command = [
        *("train", "--data", str(root), "--out", str(out), "--run-folder", str(run)),
        *("--epochs", "9", "--batch", "8", "--patience", "2"),
    ]
    done = datasets.python("-c", STOPS, *command)
    assert done.returncode == 0, done.stderr
    assert "stopped early" in done.stderr
    history = json.loads((run / "history.json").read_bytes())
    assert [entry["score"] for entry in history] == [0.5, 0.6, 0.55, 0.55]
    again = datasets.python("-c", STOPS, *command, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(json.loads((run / "history.json").read_bytes())) == 4
