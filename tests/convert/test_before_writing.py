"""A file is written only if it scales pixels as Keras does and runs in every runtime."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.pictures import check_set
from convert.runtime_check import checked, save_pixels
from convert.scoring_process import Measured, measured
from convert.uint8_input import with_uint8_input
from convert.variants import INT8
from edge.classification.interpreter import RUNTIMES
from edge.classification.model_card import attach_card, read_card
from edge.common.errors import UserError
from tests.support.training.datasets import ROOT, python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


def test_float_variants_scale_pixels_as_keras_does(tmp_path: Path) -> None:
    """The scores are compared with those of Keras, for every value that a pixel can have."""
    for suffix in (".keras", ".json", ".ranges.json"):
        shutil.copy(MODELS / f"mask{suffix}", tmp_path)
    done = python("-m", "convert", "--model", tmp_path / "mask.keras", "--variants", "float32")
    assert done.returncode == 0, done.stderr
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
    results = [
        measured(tmp_path / "mask-float32.tflite", pixels, runtime) for runtime, _ in RUNTIMES
    ]
    measurements = [measurement for measurement in results if isinstance(measurement, Measured)]
    assert measurements
    for measurement in measurements:
        np.testing.assert_allclose(measurement.scores, np.load(scores), atol=1e-5)


def test_file_that_one_runtime_refuses_is_rejected(tmp_path: Path) -> None:
    check = check_set([], ("mask", "no_mask"), 96)
    content = (MODELS / "mask.tflite").read_bytes()
    broken = tmp_path / "broken.tflite"
    card = read_card(content, MODELS / "mask.tflite")
    broken.write_bytes(attach_card(b"no flatbuffer at all", card))
    scores = np.full((len(check.pixels), 2), 0.5, np.float32)
    with pytest.raises(UserError, match=r"int8 model is not written: \S+ fails: "):
        checked(INT8, broken, check, scores, save_pixels(tmp_path, check))


def test_uint8_input_cannot_be_added_twice() -> None:
    with pytest.raises(ValueError, match="input is"):
        with_uint8_input((MODELS / "mask.tflite").read_bytes(), 1 / 128, 128)
