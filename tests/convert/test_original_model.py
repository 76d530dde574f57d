"""The file of the original's network that the benchmark uses: its layers and reproducibility."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.network.flatbuffer import parameters, parsed
from edge.bench.original_pipeline import original_model
from tests.support.training.datasets import python

pytestmark = pytest.mark.slow
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


@pytest.mark.timeout(600)
def test_file_equals_the_converters_output() -> None:
    done = python("-c", BUILD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [hashlib.sha256(original_model()).hexdigest()]
