"""Loading a Keras model, and the float flatbuffer that is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convert.scoring_process import Measured, measured
from edge.classification.interpreter import RUNTIMES
from edge.classification.model_card import digest
from tests.support.cli_process import error_line
from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_float_variants_scale_pixels_as_keras_does(model: Path) -> None:
    """Compare the scores with those of Keras, for every value that a pixel can have."""
    done = python("-m", "convert", "--model", model, "--variants", "float32")
    assert done.returncode == 0, done.stderr
    ramp = np.arange(256, dtype=np.uint8)
    pictures = np.stack([np.tile(np.roll(ramp, 7 * i), 108).reshape(96, 96, 3) for i in range(6)])
    pixels, scores = model.with_name("pixels.npy"), model.with_name("scores.npy")
    np.save(pixels, pictures)
    code = (
        "import sys, numpy as np; from convert.from_keras import load_keras;"
        "from pathlib import Path;"
        "model = load_keras(Path(sys.argv[1])); pictures = np.load(sys.argv[2]);"
        "np.save(sys.argv[3], model(pictures.astype('float32'), training=False))"
    )
    done = python("-c", code, model, pixels, scores)
    assert done.returncode == 0, done.stderr
    results = [
        measured(model.with_name("mask-float32.tflite"), pixels, runtime) for runtime, _ in RUNTIMES
    ]
    measurements = [measurement for measurement in results if isinstance(measurement, Measured)]
    assert measurements
    for measurement in measurements:
        np.testing.assert_allclose(measurement.scores, np.load(scores), atol=1e-5)


def test_file_that_is_not_a_model_is_named(model: Path) -> None:
    model.write_bytes(b"not a zip")
    for suffix in (".json", ".ranges.json"):
        beside = model.with_suffix(suffix)
        stored = json.loads(beside.read_bytes())
        beside.write_text(json.dumps({**stored, "keras_sha256": digest(b"not a zip")}))
    done = python("-m", "convert", "--model", model, "--out", model.with_name("x"))
    assert "mask.keras is not a Keras model" in error_line(done, code=1)
    assert not model.with_name("x").exists()
