"""The conversion of the shipped face detector, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge.common.paths import shipped_detector
from edge.detection.detector_card import read_detector_card
from tests.support.runtimes import INSTALLED_RUNTIMES
from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped Keras model and the files beside it."""
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(shipped_detector().with_suffix(suffix), tmp_path)
    return tmp_path / "face.keras"


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_conversion_without_pictures_gives_the_shipped_bytes(converted_detector: Path) -> None:
    for variant in ("", "-float16"):
        shipped = shipped_detector().with_name(f"face{variant}.tflite")
        made = converted_detector / f"face{variant}.tflite"
        assert made.read_bytes() == shipped.read_bytes()
    found = json.loads((converted_detector / "face.output.json").read_bytes())
    assert found["check_set"] == "60 drawings"
    assert {(row["variant"], row["runtime"]) for row in found["rows"]} == {
        (variant, runtime)
        for variant in ("float32", "float16", "int8")
        for runtime in INSTALLED_RUNTIMES
    }
    assert all(row["parity"]["points"] > 0 for row in found["rows"])


def test_card_states_what_training_measured(model: Path) -> None:
    report = json.loads(model.with_suffix(".json").read_text())
    path = shipped_detector()
    card = read_detector_card(path.read_bytes(), path)
    assert card.threshold.score == report["threshold"]["score"]
    assert card.box.side == report["box"]["side"]
    assert card.keras_sha256 == report["keras_sha256"]
    assert card.quantisation.endswith("input uint8 luma pixels, output int8")
    assert any("test pictures, int8 in " in name for name in card.figures)


def test_unusable_files_are_named_and_nothing_is_written(model: Path) -> None:
    report = model.with_suffix(".json")
    kept = report.read_text()

    def refusal() -> str:
        done = python("-m", "convert", "--model", model)
        assert done.returncode == 1, done.stdout
        assert not model.with_suffix(".tflite").exists()
        return done.stderr

    _change(report, keras_sha256="sha256:0")
    assert "belongs to another Keras model" in refusal()
    _change(report, keras_sha256=json.loads(kept)["keras_sha256"], threshold=3)
    assert "face.json is invalid" in refusal()
    report.write_text(kept)
    _change(report, input={"width": 320, "height": 240, "colour": "rgb"})
    assert "--colour luma" in refusal()
    report.write_text(kept)
    model.with_suffix(".ranges.json").unlink()
    assert "cannot read the activation ranges" in refusal()
