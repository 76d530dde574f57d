"""Editing a flatbuffer loses none of its content, and equal vectors are stored once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.network.flatbuffer import FILE_IDENTIFIER, packed, parameters, parsed
from edge.classification.model_card import attach_card, read_card
from edge.common.paths import shipped_model

pytestmark = pytest.mark.slow


def as_text(value: Any) -> Any:
    """Return a `schema.*T` object as plain values that can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [as_text(each) for each in value]
    if hasattr(value, "__dict__"):
        return {name: as_text(each) for name, each in vars(value).items()}
    return value


def test_parsed_model_is_packed_without_loss(flatbuffer: bytes) -> None:
    again = packed(parsed(flatbuffer))
    assert as_text(parsed(again)) == as_text(parsed(flatbuffer))
    assert again[4:8] == FILE_IDENTIFIER
    assert packed(parsed(again)) == again


def test_equal_vectors_are_written_once() -> None:
    def model(vectors: list[list[int]]) -> Any:
        made = schema.ModelT()
        made.buffers = []
        for vector in vectors:
            buffer = schema.BufferT()
            buffer.data = np.array(vector, np.uint8)
            made.buffers.append(buffer)
        return made

    alike, unlike = [[7] * 4000, [7] * 4000], [[7] * 4000, [7] * 3999 + [8]]
    assert len(packed(model(alike))) < 4300
    assert len(packed(model(unlike))) > 8000
    for vectors in (alike, unlike):
        read = parsed(packed(model(vectors)))
        assert [buffer.data.tolist() for buffer in read.buffers] == vectors


def test_buffer_data_is_aligned_for_kernels(flatbuffer: bytes) -> None:
    model = schema.Model.GetRootAs(bytearray(flatbuffer))
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    filled = [buffer._tab for buffer in buffers if buffer.DataLength()]
    assert len(filled) > 30
    assert {table.Vector(table.Offset(4)) % 16 for table in filled} == {0}


def test_data_after_the_flatbuffer_is_moved_inside(flatbuffer: bytes) -> None:
    """The quantiser puts data of more than 256 kB after the flatbuffer.

    tflite-runtime 2.14 cannot read data in that place.
    """
    model = parsed(flatbuffer)
    largest = max(model.buffers, key=lambda b: 0 if b.data is None else len(b.data))
    data, largest.data = largest.data, None
    largest.offset, largest.size = 1 << 20, len(data)
    largest.offset = len(packed(model))  # the length of the result does not depend on the offset
    split = packed(model) + data.tobytes()
    assert as_text(parsed(split)) == as_text(parsed(flatbuffer))


def test_parameters_are_counted_from_the_layers(flatbuffer: bytes) -> None:
    graph = parsed(flatbuffer).subgraphs[0]
    constant = [t for t in graph.tensors if t.buffer and t.type != schema.TensorType.UINT8]
    axes = 2  # the axes of the mean operator are not parameters
    assert parameters(flatbuffer) == sum(int(np.prod(t.shape)) for t in constant) - axes


def test_appended_card_changes_nothing(flatbuffer: bytes) -> None:
    card = read_card(shipped_model().read_bytes(), shipped_model())
    assert attach_card(flatbuffer, card) == shipped_model().read_bytes()
    assert as_text(parsed(attach_card(flatbuffer, card))) == as_text(parsed(flatbuffer))
