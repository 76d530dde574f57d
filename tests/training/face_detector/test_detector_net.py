"""The network of the face detector: its size, input and output.

TensorFlow runs in a process of its own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.training import datasets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHAPES = """
import json
from training.common.quiet_keras import import_keras
import_keras()
from training.face_detector.detector_net import build_detector
from training.face_detector.grid import Grid, InputSize
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
