"""Conversion with pictures: the measured figures, which later conversions without pictures keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.figures import accuracies, card_figures
from convert.pictures import CheckSet
from edge.classification.model_card import Card, read_card
from tests.support.cli_process import error_line
from tests.support.training import datasets
from training.network.model_report import Report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FOLDERS = {"mask": "mask", "no_mask": "no_mask", "incorrect_mask": "incorrect_mask"}
LABELS = ["mask", "no_mask", "incorrect_mask"]

UNTRAINED = """
import sys
from pathlib import Path
import keras
from edge.classification.model_card import digest
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


def report(threshold: float) -> Report:
    return Report(
        name="x",
        keras_sha256="",
        labels=LABELS,
        size_px=96,
        margin=0.1,
        threshold=threshold,
        threshold_chosen="",
        training_data=[],
        figures={},
        config={},
        history=[],
        training_s=0.0,
        licence="",
        versions={},
    )


def test_figures_are_counted_by_data_set_and_label() -> None:
    scores = np.array(
        [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.5, 0.4, 0.1], [0.1, 0.9, 0.0], [0.2, 0.5, 0.3]],
        np.float32,
    )
    check = CheckSet(
        "",
        np.zeros((5, 2, 2, 3), np.uint8),
        np.array([0, 1, 1, 1, 2]),
        {"a": slice(0, 3), "b": slice(3, 5)},
    )
    found = card_figures(check, scores, report(0.5), "int8 in x")
    assert found == {
        "a test, int8 in x": {
            "accuracy": 0.6667,
            "faces": 3,
            "confusion": [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
            "threshold": 0.5,
            "flagged": {"mask": 0.0, "no_mask": 0.5},
        },
        "b test, int8 in x": {
            "accuracy": 0.5,
            "faces": 2,
            "confusion": [[0, 0, 0], [0, 1, 0], [0, 1, 0]],
            "threshold": 0.5,
            "flagged": {"no_mask": 1.0, "incorrect_mask": 1.0},
        },
    }
    assert accuracies(check, scores) == {"a": pytest.approx(2 / 3), "b": 0.5}


@dataclass(frozen=True)
class ThreeClassModel:
    """A 3-class model that was converted with pictures; `output`: the JSON of the command."""

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
    assert [row["path"] for row in three.output["rows"]] == [str(three.tflite)] * len(
        three.output["rows"]
    )
    assert three.card().labels == LABELS
    beside = sorted(path.name for path in three.keras.parent.iterdir())
    assert beside == ["faces", "three.json", "three.keras", "three.ranges.json", "three.tflite"]


def test_card_has_the_figures_of_evaluate(three: ThreeClassModel) -> None:
    done = datasets.python(
        *("-m", "training", "evaluate", "--model", three.tflite, "--data", three.data),
        *("--split", "test", "--json"),
    )
    assert done.returncode == 0, done.stderr
    evaluated = json.loads(done.stdout.splitlines()[0])
    figures = three.card().figures
    assert figures["a"] == 1  # the figures that training wrote are kept
    (name,) = set(figures) - {"a"}
    assert name == f"faces test, int8 in {evaluated['runtime']}"
    found = figures[name]
    assert found["faces"] == evaluated["figures"]["count"] > 10
    assert found["confusion"] == evaluated["figures"]["confusion"]
    assert found["accuracy"] == pytest.approx(evaluated["figures"]["accuracy"], abs=1e-4)
    assert found["threshold"] == evaluated["alerts"]["threshold"] == 0.3
    flagged = evaluated["alerts"]
    assert found["flagged"]["no_mask"] == pytest.approx(flagged["bare_flagged"], abs=1e-4)
    assert found["flagged"]["mask"] == pytest.approx(flagged["masked_flagged"], abs=1e-4)
    assert three.output["rows"][0]["accuracy"]["faces"] == pytest.approx(
        found["accuracy"], abs=1e-4
    )


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
