"""Editing a flatbuffer loses nothing, and every runtime still reads the result."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.compact import compact
from convert.flatbuffer import FILE_IDENTIFIER, packed, parameters, parsed
from convert.uint8_input import with_uint8_input
from edge.classification.model_card import attach_card, read_card
from edge.common.paths import shipped_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    """The flatbuffer of the shipped model, without its card."""
    content = shipped_model().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content[: min(entry.header_offset for entry in archive.infolist())]


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
    """The quantiser puts data after the flatbuffer if it exceeds 256 kB.

    tflite-runtime 2.14 cannot read it there.
    """
    model = parsed(flatbuffer)
    largest = max(model.buffers, key=lambda b: 0 if b.data is None else len(b.data))
    data, largest.data = largest.data, None
    largest.offset, largest.size = 1 << 20, len(data)
    largest.offset = len(packed(model))  # the length does not depend on the offset
    split = packed(model) + data.tobytes()
    assert as_text(parsed(split)) == as_text(parsed(flatbuffer))


def test_tensor_names_are_short_and_match_signatures(flatbuffer: bytes) -> None:
    model = parsed(flatbuffer)
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    names = [tensor.name.decode() for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    assert sum(map(len, names)) < 3 * len(names) + 20
    (pixels,), (shares,) = signature.inputs, signature.outputs
    assert [pixels.tensorIndex] == list(graph.inputs)
    assert [shares.tensorIndex] == list(graph.outputs)
    assert names[pixels.tensorIndex] == pixels.name.decode() == "pixels"
    assert names[shares.tensorIndex] == shares.name.decode()
    assert compact(flatbuffer) == flatbuffer


def test_outer_names_stay_without_a_signature(flatbuffer: bytes) -> None:
    model = parsed(flatbuffer)
    model.signatureDefs = None
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = b"in"
    graph.tensors[graph.outputs[0]].name = b"out"
    inner = next(i for i in range(len(graph.tensors)) if i not in (*graph.inputs, *graph.outputs))
    graph.tensors[inner].name = b"a/name/of/Keras"
    read = parsed(compact(packed(model))).subgraphs[0]
    assert read.tensors[graph.inputs[0]].name == b"in"
    assert read.tensors[graph.outputs[0]].name == b"out"
    assert read.tensors[inner].name == str(inner).encode()


def test_converter_metadata_is_removed(flatbuffer: bytes) -> None:
    model = parsed(flatbuffer)
    note, kept = schema.MetadataT(), list(model.metadata or [])
    note.name, note.buffer = b"CONVERSION_METADATA", len(model.buffers)
    model.metadata = [*kept, note]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(b"written by a converter", np.uint8)
    model.buffers.append(buffer)
    found = compact(packed(model))
    assert b"written by" not in found
    assert [m.name for m in parsed(found).metadata] == [m.name for m in kept]


def test_parameters_are_counted_from_the_layers(flatbuffer: bytes) -> None:
    graph = parsed(flatbuffer).subgraphs[0]
    constant = [t for t in graph.tensors if t.buffer and t.type != schema.TensorType.UINT8]
    axes = 2  # the axes of the mean operator are not parameters
    assert parameters(flatbuffer) == sum(int(np.prod(t.shape)) for t in constant) - axes


def test_only_float_inputs_can_become_uint8(flatbuffer: bytes) -> None:
    with pytest.raises(ValueError, match="not float32"):
        with_uint8_input(flatbuffer, 1 / 128, 128)


def test_appended_card_changes_nothing(flatbuffer: bytes) -> None:
    card = read_card(shipped_model().read_bytes(), shipped_model())
    assert attach_card(flatbuffer, card) == shipped_model().read_bytes()
    assert as_text(parsed(attach_card(flatbuffer, card))) == as_text(parsed(flatbuffer))
