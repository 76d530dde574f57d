"""The moving average of a model's weights. TensorFlow runs in a process of its own."""

from __future__ import annotations

import json

import pytest

from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROGRAM = """
import json, sys
from training.common.quiet_keras import import_keras
keras = import_keras()
import numpy as np, tensorflow as tf
from training.face_detector.detector_config import DetectorConfig
from training.fit.averaged_model import AveragedModel

def new(average):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1), np.float32)])
    config = DetectorConfig(
        epochs=10, learning_rate=0.1, warm_up_epochs=0.0, weight_decay=0.0, average=average
    )
    return model, AveragedModel(model, config, steps=100)

def value(model):
    return float(model.get_weights()[0][0, 0])

down = [tf.constant([[-1.0]])]  # a gradient that raises the weight
model, trained = new(0.998)
path = []
for _ in range(20):
    trained.apply(down)
    path.append(value(model))
outside = value(model)
with trained.averaged_weights():
    inside = value(model)
back = value(model)
arrays = [array.copy() for array in trained.arrays()]
for _ in range(5):
    trained.apply(down)
straight = [value(model), *(float(a.ravel()[0]) for a in trained.arrays()[-1:])]
again, resumed = new(0.998)
resumed.restore(arrays)
for _ in range(5):
    resumed.apply(down)
continued = [value(again), *(float(a.ravel()[0]) for a in resumed.arrays()[-1:])]
sys.stdout.write(json.dumps({
    "path": path, "outside": outside, "inside": inside, "back": back,
    "straight": straight, "continued": continued,
}))
"""


def test_average_follows_weights_and_is_restored() -> None:
    done = python("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["outside"] == found["back"] == found["path"][-1]
    # The decay is (1 + n) / (10 + n) in the first steps, so that the initial weight is forgotten.
    average = 0.0
    for step, weight in enumerate(found["path"], start=1):
        keep = min(0.998, (1 + step) / (10 + step))
        average = keep * average + (1 - keep) * weight
    assert found["inside"] == pytest.approx(average, rel=1e-5)
    assert found["straight"] == found["continued"]
