"""Every variant of the shipped model, as the edge's own classifier runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.check import checked, save_pixels
from convert.flatbuffer import parameters
from convert.inputs import drawn_inputs
from convert.measure import Measured, measured
from convert.pictures import check_set
from convert.uint8_input import with_uint8_input
from convert.variants import INT8, VARIANTS
from edge.card import attach_card, read_card
from edge.classifier import Classifier
from edge.errors import UserError
from edge.interpreter import RUNTIMES
from tests.training import made
from tests.training.made import ROOT, python

pytestmark = pytest.mark.timeout(600)
MODELS = ROOT / "models"
FILES = {
    "float32": "mask-float32.tflite",
    "float16": "mask-float16.tflite",
    "dynamic": "mask-dynamic.tflite",
    INT8: "mask.tflite",
}


def copied(folder: Path) -> Path:
    """The shipped Keras model in `folder`, with what lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(MODELS / f"mask{suffix}", folder)
    return folder / "mask.keras"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants")


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    """What the conversion to all variants says; they lie in `folder`."""
    done = python("-m", "convert", "--model", copied(folder), "--variants", "all", "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_variant_is_written_and_tried_in_every_runtime(
    folder: Path, said: dict[str, Any]
) -> None:
    assert {path.name for path in folder.glob("*.tflite")} == set(FILES.values())
    assert said["check_set"] == "300 drawings"
    for variant, name in FILES.items():
        rows = [row for row in said["rows"] if row["variant"] == variant]
        tried = [row["runtime"] for row in rows]
        assert sorted([*tried, *said["not_run"][variant]]) == sorted(name for name, _ in RUNTIMES)
        for row in rows:
            assert Path(row["path"]) == folder / name
            assert row["bytes"] == (folder / name).stat().st_size
            assert row["accuracy"] == {}
            assert row["latency_ms"] > 0


def test_weights_make_the_size(folder: Path, said: dict[str, Any]) -> None:
    size = {row["variant"]: row["bytes"] for row in said["rows"]}
    assert size["float16"] < 0.6 * size["float32"]
    assert size["dynamic"] < 0.4 * size["float32"]
    assert size[INT8] < 0.4 * size["float32"]
    counts = {parameters((folder / name).read_bytes()) for name in FILES.values()}
    assert len(counts) == 1


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("variant", FILES)
def test_the_edge_runs_each_unchanged(folder: Path, variant: str) -> None:
    path = folder / FILES[variant]
    card = read_card(path.read_bytes(), path)
    assert card.quantisation == VARIANTS[variant].quantisation
    classifier, shipped = Classifier(path), Classifier(MODELS / "mask.tflite")
    for picture in drawn_inputs(20, 96):
        found, expected = classifier.classify_crop(picture), shipped.classify_crop(picture)
        assert sum(found.by_label.values()) == pytest.approx(1, abs=0.01)
        assert found.by_label == pytest.approx(expected.by_label, abs=0.1)


@pytest.mark.usefixtures("said")
def test_float_variants_scale_pixels_as_keras_does(folder: Path, tmp_path: Path) -> None:
    """Against the Keras model itself, over every value that a pixel can have."""
    ramp = np.arange(256, dtype=np.uint8)
    pictures = np.stack([np.tile(np.roll(ramp, 7 * i), 108).reshape(96, 96, 3) for i in range(6)])
    pixels, scores = tmp_path / "pixels.npy", tmp_path / "scores.npy"
    np.save(pixels, pictures)
    code = (
        "import sys, numpy as np; from convert.from_keras import load_keras;"
        "from pathlib import Path;"
        "model = load_keras(Path(sys.argv[1])); pictures = np.load(sys.argv[2]);"
        "np.save(sys.argv[3], model(pictures.astype('float32'), training=False))"
    )
    done = python("-c", code, MODELS / "mask.keras", pixels, scores)
    assert done.returncode == 0, done.stderr
    answers = [measured(folder / FILES["float32"], pixels, runtime) for runtime, _ in RUNTIMES]
    ran = [answer for answer in answers if isinstance(answer, Measured)]
    assert ran
    for answer in ran:
        np.testing.assert_allclose(answer.scores, np.load(scores), atol=1e-5)


@pytest.mark.usefixtures("said")
def test_the_same_model_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    done = python("-m", "convert", "--model", copied(tmp_path), "--variants", "all")
    assert done.returncode == 0, done.stderr
    for name in FILES.values():
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_one_bad_variant_keeps_all_from_being_written(tmp_path: Path) -> None:
    model = copied(tmp_path)
    place = model.with_suffix(".ranges.json")
    stored = json.loads(place.read_bytes())
    stored["ranges"] = {
        name: [low / 40, high / 40] for name, (low, high) in stored["ranges"].items()
    }
    place.write_text(json.dumps(stored))
    before = sorted(path.name for path in tmp_path.iterdir())
    done = python("-m", "convert", "--model", model, "--variants", "float32")
    made.assert_one_line(done, "the int8 model is not written", code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_file_that_an_installed_runtime_refuses_does_not_pass(tmp_path: Path) -> None:
    check = check_set([], ("mask", "no_mask"), 96)
    content = (MODELS / "mask.tflite").read_bytes()
    broken = tmp_path / "broken.tflite"
    card = read_card(content, MODELS / "mask.tflite")
    broken.write_bytes(attach_card(b"no flatbuffer at all", card))
    scores = np.full((len(check.pixels), 2), 0.5, np.float32)
    with pytest.raises(UserError, match=r"int8 model is not written: \S+ fails: "):
        checked(INT8, broken, check, scores, save_pixels(tmp_path, check))


def test_figures_on_real_crops_are_kept_and_given_without_them(tmp_path: Path) -> None:
    data, model = made.kaggle(tmp_path / "tiny", 12), copied(tmp_path / "m")
    command = ("-m", "convert", "--model", model, "--variants", "float16")
    done = python(*command, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    files = {variant: model.with_name(FILES[variant]) for variant in ("float16", INT8)}
    first = {variant: path.read_bytes() for variant, path in files.items()}
    for variant, content in first.items():
        row = next(row for row in said["rows"] if row["variant"] == variant)
        on_card = read_card(content, files[variant]).figures[
            f"tiny test, {variant} in {row['runtime']}"
        ]
        right = sum(line[place] for place, line in enumerate(on_card["confusion"]))
        assert on_card["faces"] == sum(map(sum, on_card["confusion"])) == 24
        assert on_card["accuracy"] == pytest.approx(right / 24, abs=1e-4)
        assert row["accuracy"]["tiny"] == pytest.approx(right / 24)
    stored = json.loads(model.with_suffix(".ranges.json").read_bytes())
    assert (stored["crops"], sorted(stored["figures"])) == (24, ["float16", INT8])
    again = python(*command)
    assert again.returncode == 0, again.stderr
    assert "needs --data" in again.stdout
    assert {variant: path.read_bytes() for variant, path in files.items()} == first


def test_an_input_that_is_pixels_already_is_refused() -> None:
    with pytest.raises(ValueError, match="input is"):
        with_uint8_input((MODELS / "mask.tflite").read_bytes(), 1 / 128, 128)
