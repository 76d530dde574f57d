"""An int8 flatbuffer learns to take uint8: cameras give uint8, TFLite's kernels want int8."""

from __future__ import annotations

from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
SHIFT = 128  # int8 v and uint8 v + 128 with a zero point 128 higher mean the same


def with_uint8_input(flatbuffer: bytes) -> bytes:
    """`flatbuffer` with one QUANTIZE in front that takes uint8 to its int8 input, exactly."""
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(flatbuffer)))
    graph = model.subgraphs[0]
    inner = int(graph.inputs[0])
    outer = len(graph.tensors)
    graph.tensors.append(_uint8_like(graph.tensors[inner]))
    model.operatorCodes.append(_operator_code())
    shift = schema.OperatorT()
    shift.opcodeIndex = len(model.operatorCodes) - 1
    shift.inputs, shift.outputs = [outer], [inner]
    shift.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    shift.builtinOptions = schema.QuantizeOptionsT()
    graph.operators.insert(0, shift)
    graph.inputs = [outer]
    for signature in model.signatureDefs or []:
        for each in signature.inputs:
            if each.tensorIndex == inner:
                each.tensorIndex = outer
    builder = flatbuffers.Builder(len(flatbuffer) + 1024)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _uint8_like(tensor: Any) -> Any:
    if tensor.type != schema.TensorType.INT8:
        raise ValueError("the model's input is not int8")
    twin = schema.TensorT()
    twin.name, twin.type = b"uint8_pixels", schema.TensorType.UINT8
    twin.shape, twin.shapeSignature = tensor.shape, tensor.shapeSignature
    twin.buffer = 0
    twin.hasRank = tensor.hasRank
    twin.quantization = schema.QuantizationParametersT()
    twin.quantization.scale = tensor.quantization.scale
    twin.quantization.zeroPoint = [int(tensor.quantization.zeroPoint[0]) + SHIFT]
    return twin


def _operator_code() -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2
    return code
