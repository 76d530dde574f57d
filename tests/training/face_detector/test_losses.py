"""The loss of the face detector: correct output has almost no loss, and ignored points do not
count.

TensorFlow runs in a process of its own.
"""

from __future__ import annotations

import json

import pytest

from tests.support.training import datasets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LOSS = """
import json
import numpy as np
from training.common.quiet_keras import import_keras
import_keras()
from edge.detection.boxes import corners_of
from edge.detection.point_grid import Grid, InputSize
from training.face_detector.losses import detector_loss
from training.face_detector.targets import assign_targets
grid = Grid.of(InputSize(160, 128))
targets = assign_targets(grid, corners_of([(40, 30, 30, 40)]), corners_of([(100, 60, 40, 40)]))
arrays = tuple(a[None] for a in (targets.corners, targets.positive, targets.weight))
def loss(logits, codes):
    output = {"logits": logits[None].astype(np.float32), "codes": codes[None].astype(np.float32)}
    return [float(part) for part in detector_loss(grid, output, arrays, arrays[1].sum())]
from tests.support.training.box_codes import encode
right = encode(grid, targets.corners)
sure = np.where(targets.positive > 0, 20.0, -20.0)
ignored = np.where(targets.weight == 0, 20.0, sure)
false = sure.copy()
false[0] = 20.0
print(json.dumps({
    "right": loss(sure, right),
    "wrong box": loss(sure, right + 1.0),
    "wrong score": loss(-sure, right),
    "on ignored": loss(ignored, right),
    "false": loss(false, right),
}))
"""


def test_loss_rewards_right_output_and_skips_ignored_points() -> None:
    done = datasets.python("-c", LOSS)
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)
    assert sum(losses["right"]) < 0.01
    assert losses["wrong box"][1] > 0.5
    assert losses["wrong score"][0] > 1
    assert losses["on ignored"] == losses["right"]
    assert losses["false"][0] > losses["right"][0] + 0.1
