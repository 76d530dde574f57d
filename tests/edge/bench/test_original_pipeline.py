"""The pipeline of the original program, in every runtime: each face of each frame is classified."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.bench.original_pipeline import Original, original_model
from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame
from edge.inference.interpreter import load_interpreter
from tests.support.footage.pictures import frames_without_mask
from tests.support.runtimes import INSTALLED_RUNTIMES


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_network_runs_in_every_runtime(runtime: str) -> None:
    interpreter, _ = load_interpreter(original_model(), 1, runtime)
    pixels = interpreter.get_input_details()[0]
    assert (pixels["shape"].tolist(), pixels["dtype"]) == ([1, 150, 150, 3], np.float32)
    predictions = []
    for seed in range(2):
        noise = np.random.default_rng(seed).uniform(0, 255, pixels["shape"])
        interpreter.set_tensor(pixels["index"], noise.astype(np.float32))
        interpreter.invoke()
        prediction = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        predictions.append(float(prediction[0, 0]))
    assert predictions[0] != predictions[1]
    assert all(0.01 < prediction < 0.99 for prediction in predictions), (
        "outputs are ordinary numbers"
    )


def test_every_face_of_every_frame_is_classified() -> None:
    original, costs = Original(), StageCosts()
    shown = frames_without_mask()[:3]
    original.begin(costs)
    for index, image in enumerate(shown):
        original.process(Frame(image, index * 0.1, index))
    assert original.faces == 3
    assert original.found == "3 faces"
    assert {name: len(runs) for name, runs in costs.durations_s.items()} == {
        "detect": 3,
        "classify": 3,
    }
    original.begin(StageCosts())
    original.process(Frame(cv2.blur(np.zeros_like(shown[0]), (3, 3)), 0.0, 0))
    assert original.faces == 0
