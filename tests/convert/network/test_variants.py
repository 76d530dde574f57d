"""All variants of the shipped model: their contents, runtimes, and reproducibility."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.classifier.scoring_process import Measured, measured
from convert.network.ranges import StoredRanges
from convert.network.variants import SHIPPED, VARIANTS, built, quantisation_of, variant_path
from convert.synthetic_inputs import drawn_inputs
from edge.classification.classifier import Classifier
from edge.classification.model_card import attach_card, read_card
from tests.support.runtimes import INSTALLED_RUNTIMES
from tests.support.training.datasets import ROOT, python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


@dataclass(frozen=True)
class Made:
    """The variants in `folder`, and the JSON that the command printed about them."""

    folder: Path
    output: dict[str, Any]

    def path(self, variant: str) -> Path:
        return variant_path(self.folder / "again.tflite", variant)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    done = python("-m", "convert", "--out", folder / "again.tflite", "--variants", "all", "--json")
    assert done.returncode == 0, done.stderr
    return Made(folder, json.loads(done.stdout))


def scores(model: Path, runtime: str) -> list[dict[str, float]]:
    classifier = Classifier(model, runtime=runtime)
    return [classifier.classify_crop(crop).by_label for crop in drawn_inputs(40, 96)]


@pytest.mark.slow
def test_every_variant_is_written_to_its_path(made: Made) -> None:
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "again-dynamic.tflite",
        "again-float16.tflite",
        "again-float32.tflite",
        "again.tflite",
    ]
    sizes = {name: made.path(name).stat().st_size for name in VARIANTS}
    assert sizes["int8"] < 0.4 * sizes["float32"]
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["dynamic"] < 0.4 * sizes["float32"]


@pytest.mark.slow
def test_conversion_without_pictures_gives_the_shipped_bytes(made: Made) -> None:
    for variant in SHIPPED:
        shipped = variant_path(MODELS / "mask.tflite", variant)
        assert made.path(variant).read_bytes() == shipped.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_equal_models_give_equal_bytes(
    made: Made, variant: str, float_flatbuffer: bytes, stored_ranges: StoredRanges
) -> None:
    """The processes that made the two files had different orders of sets."""
    path = made.path(variant)
    again = built(variant, float_flatbuffer, stored_ranges.ranges)
    assert attach_card(again, read_card(path.read_bytes(), path)) == path.read_bytes()


@pytest.mark.parametrize("variant", VARIANTS)
def test_card_names_the_variant(made: Made, variant: str) -> None:
    path = made.path(variant)
    card, shipped = (read_card(p.read_bytes(), p) for p in (path, MODELS / "mask.tflite"))
    assert card.quantisation == quantisation_of(variant, "RGB")
    assert (card.labels, card.alert, card.input) == (shipped.labels, shipped.alert, shipped.input)
    words = {"float32": "none", "float16": "float16", "dynamic": "int8 weights", "int8": "int8:"}
    assert card.quantisation.startswith(words[variant])


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_same_answers(made: Made, variant: str, runtime: str) -> None:
    classifier = Classifier(made.path(variant), runtime=runtime)
    assert classifier._network.input.dtype == np.uint8
    found, wanted = scores(made.path(variant), runtime), scores(made.path("float32"), runtime)
    assert len({scores["no_mask"] for scores in found}) > 10
    for one, other in zip(found, wanted, strict=True):
        assert one["no_mask"] == pytest.approx(other["no_mask"], abs=0.08)
        assert sum(one.values()) == pytest.approx(1, abs=0.02)


KERAS_SCORES = """
import sys, numpy as np
from pathlib import Path
from convert.network.from_keras import load_keras
pictures = np.load(sys.argv[2]).astype("float32")
np.save(sys.argv[3], load_keras(Path(sys.argv[1]))(pictures, training=False))
"""


def test_float_variant_scales_pixels_as_keras_does(made: Made, tmp_path: Path) -> None:
    """Compare the scores with those of Keras, for every value that a pixel can have."""
    ramp = np.arange(256, dtype=np.uint8)
    pictures = np.stack([np.tile(np.roll(ramp, 7 * i), 108).reshape(96, 96, 3) for i in range(6)])
    pixels, wanted = tmp_path / "pixels.npy", tmp_path / "scores.npy"
    np.save(pixels, pictures)
    done = python("-c", KERAS_SCORES, MODELS / "mask.keras", pixels, wanted)
    assert done.returncode == 0, done.stderr
    for runtime in INSTALLED_RUNTIMES:
        found = measured(made.path("float32"), pixels, runtime)
        assert isinstance(found, Measured)
        np.testing.assert_allclose(found.scores, np.load(wanted), atol=1e-5)


def test_table_has_every_variant_and_runtime(made: Made) -> None:
    rows = {(row["variant"], row["runtime"]): row for row in made.output["rows"]}
    assert set(rows) == {
        (variant, runtime) for variant in VARIANTS for runtime in INSTALLED_RUNTIMES
    }
    for (variant, _), row in rows.items():
        assert row["bytes"] == made.path(variant).stat().st_size
        assert row["latency_ms"] > 0
        assert row["accuracy"] == {}
        assert row["labels_differ"] <= 0.03
    assert rows["float32", INSTALLED_RUNTIMES[0]]["scores_distance"] < 1e-5
    assert 1e-4 < rows["int8", INSTALLED_RUNTIMES[0]]["scores_distance"] < 0.02
    assert made.output["check_set"] == "300 drawings"
