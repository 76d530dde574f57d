"""`python -m training adopt`: a model replaces a shipped one only if it is no worse, or if told."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.common.arrays import Pixels
from edge.config.settings import DetectorSettings
from edge.detection.haar_detector import HaarDetector
from tests.support.cli_process import error_line
from tests.support.footage.demo_frames import demo_frame
from tests.support.training import datasets
from tests.support.training.boxed_pictures import write_jsonl
from training.cli import main
from training.data.splits import Split, split_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SHIPPED = datasets.ROOT / "models"
# Sets the weights of the last layer of a classifier, or all of a face detector's, to 0.
SPOIL = """
import json, sys
from pathlib import Path
import numpy as np
from edge.inference.model_file import digest
from training.common.quiet_keras import load_model_file
path = Path(sys.argv[1])
model = load_model_file(path)
for layer in model.layers:
    if layer.name == "shares" or not any(each.name == "shares" for each in model.layers):
        layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
model.save(path)
report = json.loads(path.with_suffix(".json").read_bytes())
report["keras_sha256"] = digest(path.read_bytes())
path.with_suffix(".json").write_text(json.dumps(report))
"""


def copies(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        for ending in ("keras", "json"):
            shutil.copy(SHIPPED / f"{name}.{ending}", folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def spoil(model: Path) -> None:
    done = datasets.python("-c", SPOIL, model)
    assert done.returncode == 0, done.stderr


def adopt(run: Path, models: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return datasets.python("-m", "training", "adopt", run, "--models", models, *more)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return faces of the demo clip, bare and masked, and drawn ones with a mask worn wrongly."""
    root = tmp_path_factory.mktemp("data") / "faces"
    datasets.classes(root, {"incorrect_mask": "incorrect_mask"}, 30)
    for folder, times_s in (("with_mask", (12.5, 13.5, 24.0)), ("without_mask", (4.0, 5.0, 20.0))):
        crops = [demo_face(at_s) for at_s in times_s]
        for number in range(30):
            crop = cv2.convertScaleAbs(crops[number % 3], alpha=1.0 - number / 100)
            datasets.save(root / folder / f"{number}.png", np.asarray(crop, np.uint8))
    return root


def demo_face(at_s: float) -> Pixels:
    """Return the surroundings of the face in the demo clip at `at_s` seconds, in RGB."""
    frame = demo_frame(at_s)[:, :, ::-1]
    (face,) = HaarDetector(DetectorSettings()).find(np.ascontiguousarray(frame[:, :, ::-1]))
    x, y, w, h = (round(v) for v in face.box_px)
    return frame[max(0, y - h // 4) : y + h + h // 4, max(0, x - w // 4) : x + w + w // 4]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [f"{index}.png" for index in range(40)]
    box = (40.0, 20.0, 60.0, 70.0)
    chosen = {name: [(box, "face")] for name in names if split_of(name) is Split.TEST}
    return write_jsonl(tmp_path_factory.mktemp("data") / "scenes", chosen)


@pytest.mark.parametrize("name", ["mask", "face"])
def test_worse_model_is_refused_unless_told(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue("scenes" if name == "face" else "faces")
    run, models = copies(tmp_path / "run", name), copies(tmp_path / "models", name)
    spoil(run / f"{name}.keras")
    before = contents(models)
    refused = adopt(run, models, "--data", data)
    error = error_line(refused, code=1)
    assert f"{run / name}.keras is worse than {models / name}.keras" in error
    assert "--anyway" in error
    assert f"{run / name}.keras for {models / name}.keras" in refused.stdout
    if name == "mask":  # each answer is compared
        assert "2 labels: mean accuracy of the labels: 0.5000 instead of" in error
        assert "3 labels: mean accuracy of the labels: 0.3333 instead of" in error
    assert contents(models) == before
    told = adopt(run, models, "--data", data, "--anyway")
    assert told.returncode == 0, told.stderr
    assert contents(models) == contents(run) != before


def test_equal_model_is_adopted_with_the_data_of_the_run(tmp_path: Path, faces: Path) -> None:
    run, models = copies(tmp_path / "run", "mask"), copies(tmp_path / "models", "mask")
    without = adopt(run, models)
    assert "give them with --data" in error_line(without, code=2)
    (run / "data.json").write_text(json.dumps([str(faces)]))
    done = adopt(run, models)
    assert done.returncode == 0, done.stderr
    assert f"make convert ONLY='{models / 'mask.keras'}'" in done.stdout
    assert sorted(path.name for path in models.iterdir()) == ["mask.json", "mask.keras"]


def test_first_model_needs_no_comparison(tmp_path: Path, faces: Path) -> None:
    run, models = copies(tmp_path / "run", "mask"), tmp_path / "models"
    models.mkdir()
    done = adopt(run, models, "--data", faces)
    assert done.returncode == 0, done.stderr
    assert "(no such model)" in done.stdout
    assert contents(models) == contents(run)


@pytest.mark.parametrize(
    ("damage", "message"),
    [("report", "cannot be measured"), ("folder", "does not exist"), ("same", "already")],
)
def test_refusals_before_tensorflow_is_loaded(
    tmp_path: Path, damage: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, models = copies(tmp_path / "run", "mask"), copies(tmp_path / "models", "mask")
    if damage == "report":
        (models / "mask.json").unlink()
    elif damage == "folder":
        shutil.rmtree(models)
    arguments = ["adopt", run, "--models", run if damage == "same" else models, "--data", tmp_path]
    assert main([str(each) for each in arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
