"""Conversion of the shipped model in separate processes, and the parity gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.parity import check_parity, compare
from convert.synthetic_inputs import drawn_inputs
from edge.classification.model_card import digest, read_card
from edge.common.errors import UserError
from tests.support.cli_process import error_line
from tests.support.training.datasets import ROOT, python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped Keras model and the files beside it."""
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(MODELS / f"mask{suffix}", tmp_path)
    return tmp_path / "mask.keras"


def test_conversion_without_pictures_gives_the_shipped_bytes(tmp_path: Path) -> None:
    out = tmp_path / "again.tflite"
    done = python("-m", "convert", "--model", MODELS / "mask.keras", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == (MODELS / "mask.tflite").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.tflite"]


def test_shipped_model_is_small_and_matches_its_card(tmp_path: Path) -> None:
    content = (MODELS / "mask.tflite").read_bytes()
    card = read_card(content, MODELS / "mask.tflite")
    report = json.loads((MODELS / "mask.json").read_bytes())
    assert len(content) < 150_000
    assert card.labels == ["mask", "no_mask"]
    assert card.alert.threshold == report["threshold"]
    assert card.framing.margin == 0.12
    assert {data.name for data in card.training_data} == set(report["figures"]["faces_trained_on"])
    assert all(data.licence != "not stated" for data in card.training_data)


def test_gate_rejects_a_bad_conversion(model: Path) -> None:
    place = model.with_suffix(".ranges.json")
    stored = json.loads(place.read_bytes())
    stored["ranges"] = {
        name: [low / 40, high / 40] for name, (low, high) in stored["ranges"].items()
    }
    place.write_text(json.dumps(stored))
    out = model.with_suffix(".tflite")
    out.write_bytes(b"what was here before")
    before = sorted(path.name for path in model.parent.iterdir())
    done = python("-m", "convert", "--model", model, "--out", out)
    line = error_line(done, code=1)
    assert "not written" in line
    assert "--data" in line
    assert out.read_bytes() == b"what was here before"
    assert sorted(path.name for path in model.parent.iterdir()) == before


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


def test_file_that_is_not_a_model_is_named(model: Path) -> None:
    model.write_bytes(b"not a zip")
    for suffix in (".json", ".ranges.json"):
        beside = model.with_suffix(suffix)
        stored = json.loads(beside.read_bytes())
        beside.write_text(json.dumps({**stored, "keras_sha256": digest(b"not a zip")}))
    done = python("-m", "convert", "--model", model, "--out", model.with_name("x"))
    assert "mask.keras is not a Keras model" in error_line(done, code=1)
    assert not model.with_name("x").exists()


def test_report_of_another_model_is_refused(model: Path) -> None:
    model.write_bytes(b"another model")
    done = python("-m", "convert", "--model", model, "--out", model.with_name("x"))
    assert "mask.json belongs to another Keras model" in error_line(done, code=1)


def test_drawn_pictures_are_reproducible_and_distinct() -> None:
    first, again = drawn_inputs(20, 96), drawn_inputs(20, 96)
    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype) == ((20, 96, 96, 3), np.uint8)
    assert len({picture.tobytes() for picture in first}) == 20


def shares(bare: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([[1 - value, value] for value in bare], np.float32)


def test_parity_counts_clear_pictures_and_measures_all() -> None:
    found = compare(shares([0.9, 0.1, 0.55, 0.8]), shares([0.8, 0.1, 0.45, 0.3]))
    assert (found.sure, found.count) == (3, 4)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.differ == pytest.approx(2 / 4)
    assert found.distance == pytest.approx((0.1 + 0.0 + 0.1 + 0.5) / 4)


@pytest.mark.parametrize(
    ("keras", "int8"),
    [
        ([0.9] * 40, [0.9] * 38 + [0.4] * 2),  # labels differ, scores hardly
        ([0.9] * 40, [0.87] * 40),  # scores differ, labels never
    ],
)
def test_either_difference_closes_the_gate(keras: list[float], int8: list[float]) -> None:
    with pytest.raises(UserError, match="int8 model is not written"):
        check_parity(compare(shares(keras), shares(int8)), "int8")


def test_equal_model_passes_the_gate() -> None:
    parity = compare(shares([0.9, 0.2, 0.52]), shares([0.91, 0.19, 0.49]))
    check_parity(parity, "int8")
    assert parity.agreement == 1.0
