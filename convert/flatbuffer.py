"""A `.tflite` as an object that can be edited, and back: small, aligned, readable everywhere.

FlatBuffers may point to one vector from many places and every runtime reads it so: a
quantised network of 100 kB carries 24 more of zero points, eight bytes of nothing for each
channel of each tensor, unless equal vectors are written once.
"""

from __future__ import annotations

import math
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
#: What the schema asks for `Buffer.data` (force_align), and kernels count on.
DATA_ALIGNMENT = 16
#: Operators whose inputs after the first are weights and biases.
LAYERS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)


def parsed(flatbuffer: bytes) -> Any:
    """The `schema.ModelT` of `flatbuffer`, all data of its buffers inside.

    The quantiser puts data behind the flatbuffer when there is more than 256 kB of it, where
    tflite-runtime 2.14 does not look (and where our card goes).
    """
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(flatbuffer)))
    for buffer in model.buffers:
        if buffer.data is None and buffer.size > 1:
            outside = flatbuffer[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(outside, np.uint8)
            buffer.offset = buffer.size = 0
    return model


def packed(model: Any) -> bytes:
    """The bytes of a `schema.ModelT`: same model, same bytes."""
    builder = _SharingBuilder(1 << 16)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def parameters(flatbuffer: bytes) -> int:
    """Weights and biases of all convolutions and dense layers in `flatbuffer`, counted."""
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    constants = {
        int(index)
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode in LAYERS
        for index in operator.inputs[1:]
        if index >= 0
    }
    return sum(math.prod(int(n) for n in graph.tensors[index].shape) for index in constants)


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes each distinct vector of numbers once, and bytes where kernels want them."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._places: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802  (the base class's name)
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            if x.dtype == np.uint8:  # in this schema that is the data of buffers
                self.Prep(DATA_ALIGNMENT, x.size)
            self._places[key] = int(super().CreateNumpyVector(x))
        return self._places[key]
