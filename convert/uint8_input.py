"""A flatbuffer learns to take raw pixels: cameras give uint8, kernels want int8 or float."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.flatbuffer import packed, parsed

INT8_SHIFT = 128  # int8 v and uint8 v + 128 with a zero point 128 higher mean the same


def with_uint8_input(flatbuffer: bytes, scale: float, zero_point: int) -> bytes:
    """`flatbuffer` with one operator in front that takes uint8 pixels to its own input.

    A pixel v means (v - zero_point) * scale. A float input gets a DEQUANTIZE, which computes
    just that; an int8 input gets a QUANTIZE, which is exact because the input must already be
    quantised by the same scale (ValueError when it is not). `scale` is rounded to float32.
    """
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    inner, outer = int(graph.inputs[0]), len(graph.tensors)
    code = _operator_for(graph.tensors[inner], scale, zero_point)
    graph.tensors.append(_uint8_twin(graph.tensors[inner], scale, zero_point))
    front = schema.OperatorT()
    front.opcodeIndex = _index_of(code, model.operatorCodes)
    front.inputs, front.outputs = [outer], [inner]
    graph.operators.insert(0, front)
    graph.inputs = [outer]
    for signature in model.signatureDefs or []:
        for each in signature.inputs:
            if each.tensorIndex == inner:
                each.tensorIndex = outer
    return packed(model)


def _operator_for(tensor: Any, scale: float, zero_point: int) -> Any:
    """The operator code, in a version that every runtime has: builtin code and version."""
    if tensor.type == schema.TensorType.FLOAT32:
        return _operator_code(schema.BuiltinOperator.DEQUANTIZE, 1)
    if tensor.type != schema.TensorType.INT8:
        raise ValueError("the model's input is neither int8 nor float32")
    has = tensor.quantization
    if has.scale[0] != np.float32(scale) or has.zeroPoint[0] + INT8_SHIFT != zero_point:
        raise ValueError(
            f"the input is quantised by {has.scale[0]:g} and {has.zeroPoint[0]:+d},"
            f" not {scale:g} and {zero_point - INT8_SHIFT:+d}"
        )
    return _operator_code(schema.BuiltinOperator.QUANTIZE, 2)


def _uint8_twin(tensor: Any, scale: float, zero_point: int) -> Any:
    twin = schema.TensorT()
    twin.name, twin.type = b"uint8_pixels", schema.TensorType.UINT8
    twin.shape, twin.shapeSignature = tensor.shape, tensor.shapeSignature
    twin.buffer = 0
    twin.hasRank = tensor.hasRank
    twin.quantization = schema.QuantizationParametersT()
    twin.quantization.scale = np.array([scale], np.float32)
    twin.quantization.zeroPoint = np.array([zero_point], np.int64)
    return twin


def _index_of(code: Any, codes: list[Any]) -> int:
    """The place of `code` in `codes`, added when it is not there."""
    for index, each in enumerate(codes):
        if (each.builtinCode, each.version) == (code.builtinCode, code.version):
            return index
    codes.append(code)
    return len(codes) - 1


def _operator_code(builtin: int, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = version
    return code
