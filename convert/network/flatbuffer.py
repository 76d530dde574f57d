"""Reads a `.tflite` into an editable object and writes it back: small, aligned, and portable.

A FlatBuffer may refer to one vector from many places, and every runtime reads it correctly. So
equal vectors are written once: otherwise a quantised network of 100 kB would hold 24 kB of zero
points, eight zero bytes for each channel of each tensor.
"""

from __future__ import annotations

import math
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
#: The alignment that the schema requires for `Buffer.data` (force_align); kernels rely on it.
DATA_ALIGNMENT = 16
#: Operators whose inputs after the first are weights and biases.
LAYERS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)


def parsed(flatbuffer: bytes) -> Any:
    """Return the `schema.ModelT` of `flatbuffer`, with all buffer data inside it.

    The quantiser appends more than 256 kB of data after the flatbuffer, where tflite-runtime
    2.14 does not read it (and where the model card is appended).
    """
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(flatbuffer)))
    for buffer in model.buffers:
        if buffer.data is None and buffer.size > 1:
            outside = flatbuffer[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(outside, np.uint8)
            buffer.offset = buffer.size = 0
    return model


def packed(model: Any) -> bytes:
    """Return the bytes of a `schema.ModelT`; equal models give equal bytes."""
    builder = _SharingBuilder(1 << 16)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def parameters(flatbuffer: bytes) -> int:
    """Return the number of weights and biases of all convolution and dense layers."""
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
    """A builder that writes each distinct vector once, and aligns data as kernels require."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._places: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802  (the base class's name)
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            if x.dtype == np.uint8:  # in this schema only buffer data is uint8
                self.Prep(DATA_ALIGNMENT, x.size)
            self._places[key] = int(super().CreateNumpyVector(x))
        return self._places[key]
