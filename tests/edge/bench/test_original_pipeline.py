"""The bench's copy of the original network has its layers, and runs in every runtime."""

from __future__ import annotations

import hashlib
from collections import Counter

import cv2
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.flatbuffer import parameters, parsed
from edge.bench.original_pipeline import Original, original_model
from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame
from edge.classification.interpreter import load_interpreter
from tests.convert.test_variants import HERE
from tests.support.footage.pictures import frames_without_mask
from tests.support.training.datasets import python

BUILD = """
import hashlib
from convert.original_model import original_flatbuffer
print(hashlib.sha256(original_flatbuffer()).hexdigest())
"""


def operators() -> list[tuple[int, tuple[int, ...]]]:
    """Return the code of each operator, and the shape of its weights if it has any."""
    model = parsed(original_model())
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        weights: tuple[int, ...] = ()
        if len(operator.inputs) == 3:
            weights = tuple(int(n) for n in graph.tensors[operator.inputs[1]].shape)
        found.append((int(model.operatorCodes[operator.opcodeIndex].builtinCode), weights))
    return found


def test_network_has_the_layers_of_the_original() -> None:
    found = operators()
    weights = [shape for _, shape in found if shape]
    assert weights == [
        (32, 3, 3, 3), (64, 3, 3, 32), (128, 3, 3, 64), (128, 3, 3, 128),
        (512, 7 * 7 * 128), (1, 512),
    ]  # fmt: skip
    kinds, ops = Counter(code for code, _ in found), schema.BuiltinOperator
    assert kinds[ops.CONV_2D] == kinds[ops.MAX_POOL_2D] == 4
    assert kinds[ops.FULLY_CONNECTED] == 2
    assert kinds[ops.LOGISTIC] == 1
    assert parameters(original_model()) == 3_453_121


def test_weights_are_neither_zero_nor_denormal() -> None:
    model = parsed(original_model())
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) > 4:
            weights = np.abs(np.asarray(data, np.uint8).view(np.float32))
            assert weights.min() > 1e-4
            assert weights.max() < 1.0


@pytest.mark.parametrize("runtime", HERE)
def test_network_runs_in_every_runtime(runtime: str) -> None:
    interpreter, _ = load_interpreter(original_model(), 1, runtime)
    pixels = interpreter.get_input_details()[0]
    assert (pixels["shape"].tolist(), pixels["dtype"]) == ([1, 150, 150, 3], np.float32)
    answers = []
    for seed in range(2):
        noise = np.random.default_rng(seed).uniform(0, 255, pixels["shape"])
        interpreter.set_tensor(pixels["index"], noise.astype(np.float32))
        interpreter.invoke()
        answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        answers.append(float(answer[0, 0]))
    assert answers[0] != answers[1]
    assert all(0.01 < answer < 0.99 for answer in answers), "outputs are ordinary numbers"


@pytest.mark.timeout(600)
def test_file_equals_the_converters_output() -> None:
    done = python("-c", BUILD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [hashlib.sha256(original_model()).hexdigest()]


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
