"""Quantisation of the shipped model's float flatbuffer."""

from __future__ import annotations

from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.network.compact import compact
from convert.network.flatbuffer import LAYERS, parsed
from convert.network.from_keras import PIXEL_SCALE, PIXEL_ZERO_POINT
from convert.network.quantise import dynamic, float16, int8
from convert.network.ranges import StoredRanges
from convert.network.uint8_input import with_uint8_input
from edge.common.errors import UserError

pytestmark = pytest.mark.slow


def weights(flatbuffer: bytes) -> list[Any]:
    """Return the weights of every convolution and dense layer, as tensors of the schema."""
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    return [
        graph.tensors[operator.inputs[1]]
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode in LAYERS
    ]


def types(flatbuffer: bytes) -> list[int]:
    return [tensor.type for tensor in parsed(flatbuffer).subgraphs[0].tensors]


def test_int8_gives_the_shipped_flatbuffer(
    float_flatbuffer: bytes, stored_ranges: StoredRanges, flatbuffer: bytes
) -> None:
    found = int8(float_flatbuffer, stored_ranges.ranges)
    assert {tensor.type for tensor in weights(found)} == {schema.TensorType.INT8}
    assert compact(with_uint8_input(found, PIXEL_SCALE, PIXEL_ZERO_POINT)) == flatbuffer


def test_dynamic_has_one_scale_per_dense_layer(float_flatbuffer: bytes) -> None:
    found = weights(dynamic(float_flatbuffer))
    assert {tensor.type for tensor in found} == {schema.TensorType.INT8}
    *convolutions, dense = found
    assert len(dense.quantization.scale) == 1
    assert all(len(tensor.quantization.scale) > 1 for tensor in convolutions)


def test_float16_stores_half_precision_weights(float_flatbuffer: bytes) -> None:
    found = float16(float_flatbuffer)
    assert types(found).count(schema.TensorType.FLOAT16) >= len(weights(found))
    assert len(found) < 0.6 * len(float_flatbuffer)


@pytest.mark.parametrize("ranges", [{}, {"another/tensor": (0.0, 1.0)}])
def test_ranges_that_do_not_fit_are_refused(
    float_flatbuffer: bytes, ranges: dict[str, tuple[float, float]]
) -> None:
    with pytest.raises(UserError, match=r"ranges do not fit the model \(.+\); .* --data"):
        int8(float_flatbuffer, ranges)
