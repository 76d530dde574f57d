"""Gives a float flatbuffer a uint8 input, so that it takes raw pixels of a camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.network.flatbuffer import packed, parsed


def with_uint8_input(flatbuffer: bytes, scale: float, zero_point: int) -> bytes:
    """Return `flatbuffer` with a DEQUANTIZE in front that converts uint8 to its float32 input.

    A pixel v becomes (v - zero_point) * scale, `scale` rounded to float32. Raises ValueError
    when the input is not float32.
    """
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    inner, outer = int(graph.inputs[0]), len(graph.tensors)
    graph.tensors.append(_uint8_twin(graph.tensors[inner], scale, zero_point))
    front = schema.OperatorT()
    front.opcodeIndex = _dequantize_in(model.operatorCodes)
    front.inputs, front.outputs = [outer], [inner]
    graph.operators.insert(0, front)
    graph.inputs = [outer]
    for signature in model.signatureDefs or []:
        for each in signature.inputs:
            if each.tensorIndex == inner:
                each.tensorIndex = outer
    return packed(model)


def _uint8_twin(tensor: Any, scale: float, zero_point: int) -> Any:
    if tensor.type != schema.TensorType.FLOAT32:
        raise ValueError("the model's input is not float32")
    twin = schema.TensorT()
    twin.name, twin.type = b"uint8_pixels", schema.TensorType.UINT8
    twin.shape, twin.shapeSignature = tensor.shape, tensor.shapeSignature
    twin.buffer = 0
    twin.hasRank = tensor.hasRank
    twin.quantization = schema.QuantizationParametersT()
    twin.quantization.scale = np.array([scale], np.float32)
    twin.quantization.zeroPoint = np.array([zero_point], np.int64)
    return twin


def _dequantize_in(codes: list[Any]) -> int:
    """Return the index of DEQUANTIZE in the model's operator codes, adding it if missing.

    The first version of this operator accepts uint8; only float16 weights need a later version.
    """
    for index, each in enumerate(codes):
        if each.builtinCode == schema.BuiltinOperator.DEQUANTIZE:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 1
    codes.append(code)
    return len(codes) - 1
