"""`python -m training thresholds`: the thresholds of a model that is trained already."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli_process import error_line
from tests.support.training import datasets
from training.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_thresholds_are_chosen_as_at_the_end_of_the_training(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    trained = json.loads(three_class_model.with_suffix(".json").read_bytes())
    assert set(trained["unsure"]["scores"]) == {"mask", "no_mask", "incorrect_mask"}
    assert set(trained["two_labels"]["unsure"]["scores"]) == {"mask", "no_mask"}
    assert trained["two_labels"]["alert"]["threshold"] != trained["threshold"]
    model = Path(shutil.copy(three_class_model, tmp_path))
    added = ("unsure", "two_labels")
    earlier = {name: value for name, value in trained.items() if name not in added}
    place = model.with_suffix(".json")
    place.write_text(json.dumps({**earlier, "threshold": 0.123}))
    done = datasets.python(
        *("-m", "training", "thresholds", "--model", model, "--data", three_class_data)
    )
    assert done.returncode == 0, done.stderr
    assert "(before: 0.1230), unsure below" in done.stdout
    assert "\nmask, no_mask: alert from" in done.stdout
    assert json.loads(place.read_bytes()) == trained


def test_report_of_another_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(datasets.ROOT / "models" / "mask.keras", tmp_path / "mask.keras")
    report = json.loads((datasets.ROOT / "models" / "mask.json").read_bytes())
    (tmp_path / "mask.json").write_text(json.dumps({**report, "keras_sha256": "sha256:00"}))
    command = ["thresholds", "--model", str(tmp_path / "mask.keras"), "--data", str(tmp_path)]
    assert main(command) == 1
    assert "belongs to another Keras model" in capsys.readouterr().err


def test_every_label_needs_a_validation_face(tmp_path: Path) -> None:
    narrow = [
        ("with_mask", (10.0, 10.0, 20.0, 22.0)),
        ("without_mask", (90.0, 90.0, 40.0, 44.0)),
        ("mask_weared_incorrect", (10.0, 120.0, 40.0, 44.0)),
    ]
    data = datasets.voc(tmp_path / "scenes", {f"scene{n}": narrow for n in range(12)})
    for suffix in (".keras", ".json"):
        shutil.copy(datasets.ROOT / "models" / f"mask{suffix}", tmp_path)
    model = tmp_path / "mask.keras"
    before = model.with_suffix(".json").read_bytes()
    done = datasets.python("-m", "training", "thresholds", "--model", model, "--data", data)
    assert "no picture of mask is left in the validation split" in error_line(done, code=1)
    assert model.with_suffix(".json").read_bytes() == before
