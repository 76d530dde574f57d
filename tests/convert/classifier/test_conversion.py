"""Conversions with and without pictures, run as separate programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.classification.model_card import Card, read_card
from tests.support.cli_process import error_line
from tests.support.training import datasets
from tests.support.training.datasets import python
from tests.support.training.evaluate_command import evaluate_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FOLDERS = {"mask": "mask", "no_mask": "no_mask", "incorrect_mask": "incorrect_mask"}
LABELS = ["mask", "no_mask", "incorrect_mask"]

UNTRAINED = """
import sys
from pathlib import Path
import keras
from edge.inference.model_file import digest
from training.network.model import build_model
from training.network.model_report import Report, report_path, write_report

keras.utils.set_random_seed(5)
model, place = build_model(3), Path(sys.argv[1])
model.get_layer("shares").kernel.assign(model.get_layer("shares").kernel * 8)
model.save(place)
write_report(report_path(place), Report(
    name="three", keras_sha256=digest(place.read_bytes()), labels=sys.argv[2:], size_px=96,
    margin=0.12, threshold=0.3, threshold_chosen="by a test", training_data=[], figures={"a": 1},
    config={}, history=[], training_s=0.0, licence="MIT", versions={},
))
"""


def test_bad_conversion_prevents_all_writing(model: Path, tmp_path: Path) -> None:
    place = model.with_suffix(".ranges.json")
    stored = json.loads(place.read_bytes())
    stored["ranges"] = {
        name: [low / 40, high / 40] for name, (low, high) in stored["ranges"].items()
    }
    place.write_text(json.dumps(stored))
    for name in ("mask.tflite", "mask-float16.tflite"):  # float16 is checked first, and is good
        (tmp_path / name).write_bytes(b"what was here before")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = python("-m", "convert", "--model", model)
    line = error_line(done, code=1)
    assert "the int8 model is not written" in line
    assert "--data" in line
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_ranges_of_another_model_are_refused(model: Path) -> None:
    place = model.with_suffix(".ranges.json")
    stored = json.loads(place.read_bytes())
    place.write_text(json.dumps({**stored, "keras_sha256": "sha256:00"}))
    done = python("-m", "convert", "--model", model, "--out", model.with_suffix(".tflite"))
    line = error_line(done, code=1)
    assert "belong to another Keras model" in line
    assert "--data" in line
    assert not model.with_suffix(".tflite").exists()


def test_missing_files_are_named(model: Path) -> None:
    out = model.with_name("x")
    done = python("-m", "convert", "--model", model.with_name("none.keras"), "--out", out)
    assert "none.keras does not exist" in error_line(done, code=1)
    model.with_suffix(".json").unlink()
    done = python("-m", "convert", "--model", model, "--out", out)
    line = error_line(done, code=1)
    assert "mask.json" in line
    assert "beside the model" in line


@dataclass(frozen=True)
class ThreeClassModel:
    """A 3-class model converted with pictures; `output` is the JSON that the command printed."""

    keras: Path
    tflite: Path
    data: Path
    output: dict[str, Any]

    def card(self) -> Card:
        return read_card(self.tflite.read_bytes(), self.tflite)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> ThreeClassModel:
    folder = tmp_path_factory.mktemp("three")
    data, keras = datasets.classes(folder / "faces", FOLDERS, 40), folder / "three.keras"
    done = datasets.python("-c", UNTRAINED, keras, *LABELS)
    assert done.returncode == 0, done.stderr
    done = datasets.python("-m", "convert", "--model", keras, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    return ThreeClassModel(keras, keras.with_suffix(".tflite"), data, json.loads(done.stdout))


def test_output_file_is_named_after_the_model(three: ThreeClassModel) -> None:
    assert {row["path"] for row in three.output["rows"]} == {
        str(three.tflite),
        str(three.tflite.with_name("three-float16.tflite")),
    }
    assert three.card().labels == LABELS
    beside = sorted(path.name for path in three.keras.parent.iterdir())
    assert beside == [
        "faces",
        "three-float16.tflite",
        *(f"three.{ending}" for ending in ("json", "keras", "ranges.json", "tflite")),
    ]


@pytest.mark.parametrize(("classes", "answer"), [("3", ""), ("2", ", two labels")])
def test_card_has_the_figures_of_evaluate(
    three: ThreeClassModel, capsys: pytest.CaptureFixture[str], classes: str, answer: str
) -> None:
    arguments = ("--data", three.data, "--split", "test", "--classes", classes)
    evaluated = evaluate_json(capsys, *arguments, model=three.tflite)[0]
    figures = three.card().figures
    assert figures["a"] == 1  # the figures that training wrote are kept
    assert len(figures) == 3
    found = figures[f"faces test{answer}, int8 in {evaluated['runtime']}"]
    assert found["faces"] == evaluated["figures"]["count"] > 10
    assert found["confusion"] == evaluated["figures"]["confusion"]
    assert found["accuracy"] == pytest.approx(evaluated["figures"]["accuracy"], abs=1e-4)
    assert found["threshold"] == evaluated["alerts"]["threshold"] == 0.3
    flagged = evaluated["alerts"]
    assert found["flagged"]["no_mask"] == pytest.approx(flagged["bare_flagged"], abs=1e-4)
    assert found["flagged"]["mask"] == pytest.approx(flagged["masked_flagged"], abs=1e-4)
    if classes == "3":
        accuracy = three.output["rows"][0]["accuracy"]["faces"]
        assert accuracy == pytest.approx(found["accuracy"], abs=1e-4)


def test_reconversion_without_pictures_gives_the_same_bytes(three: ThreeClassModel) -> None:
    before = three.tflite.read_bytes()
    stored = three.keras.with_suffix(".ranges.json").read_bytes()
    done = datasets.python("-m", "convert", "--model", three.keras)
    assert done.returncode == 0, done.stderr
    assert "needs --data" in done.stdout
    assert three.tflite.read_bytes() == before
    assert three.keras.with_suffix(".ranges.json").read_bytes() == stored


def test_wrong_data_folder_writes_nothing(three: ThreeClassModel) -> None:
    before = three.tflite.read_bytes()
    done = datasets.python("-m", "convert", "--model", three.keras, "--data", three.data, "nowhere")
    assert "nowhere does not exist" in error_line(done, code=2)
    assert three.tflite.read_bytes() == before
