"""The network of the face detector: its size, input and output.

TensorFlow runs in a process of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.common.paths import shipped_detector
from tests.support.training import datasets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHAPES = """
import json
from training.common.quiet_keras import import_keras
import_keras()
from training.face_detector.detector_net import build_detector
from edge.detection.point_grid import Grid, InputSize
found = []
for size in (InputSize(), InputSize(channels=3), InputSize(160, 128)):
    model = build_detector(size)
    found.append({
        "parameters": model.count_params(),
        "input": list(model.input_shape),
        "points": [model.output[name].shape[1] for name in ("logits", "codes")],
        "grid": len(Grid.of(size).points),
    })
print(json.dumps(found))
"""


def _run(script: str) -> Any:
    done = datasets.python("-c", script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_output_fits_the_grid() -> None:
    luma, rgb, small = _run(SHAPES)
    assert luma["input"] == [None, 240, 320, 1]
    assert rgb["input"] == [None, 240, 320, 3]
    for each in (luma, rgb, small):
        assert each["points"] == [each["grid"]] * 2
        assert 100_000 <= each["parameters"] <= 250_000


START = """
import json, sys
from pathlib import Path
import numpy as np
from training.common.quiet_keras import import_keras, load_model_file
keras = import_keras()
from edge.common.errors import UserError
from edge.detection.point_grid import InputSize
from training.face_detector.detector_net import _shared_layers, build_detector, start_from
from training.network.model import build_model
classifier, other = map(Path, sys.argv[1:])
build_model(3, "small").save(classifier)
def first_layers(model, inputs):
    layers = [layer for layer in model.layers if layer.weights]
    return keras.Model(inputs, layers[5].output)(np.repeat(GREY, inputs.shape[-1], axis=-1))
GREY = np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 1)).astype(np.float32)
source = load_model_file(classifier)
expected = first_layers(source, source.input)
differences = []
for channels in (1, 3):
    model = build_detector(InputSize(96, 96, channels))
    start_from(model, classifier)
    found = first_layers(model, model.input)
    # All layers after the first, whose input may have another number of channels, are the same.
    theirs = [layer for layer in source.layers if layer.weights][:len(_shared_layers(model))]
    assert len(theirs) == 32
    for one, other_one in zip(theirs[1:], _shared_layers(model)[1:], strict=True):
        for a, b in zip(one.get_weights(), other_one.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    differences.append(float(np.abs(np.asarray(found) - np.asarray(expected)).max()))
refused = []
for size in (InputSize(96, 96), InputSize(320, 240, 3)):
    try:
        start_from(build_detector(size), other)
    except UserError as error:
        refused.append(str(error))
whole = build_detector(InputSize())
start_from(whole, other)
same = all(
    np.array_equal(a, b)
    for a, b in zip(whole.get_weights(), load_model_file(other).get_weights(), strict=True)
)
print(json.dumps([differences, refused, same]))
"""


def test_start_is_a_classifier_or_a_detector(tmp_path: Path) -> None:
    mask = tmp_path / "small.keras"
    face = shipped_detector().with_suffix(".keras")
    done = datasets.python("-c", START, mask, face)
    assert done.returncode == 0, done.stderr
    differences, refused, same = json.loads(done.stdout)
    assert max(differences) < 1e-3
    assert len(refused) == 2
    assert all("has another --size or --colour" in each for each in refused)
    assert same
