"""A compacted flatbuffer has short names and no notes of the converter, and gives the same scores
as before.
"""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.network.compact import compact
from convert.network.flatbuffer import FILE_IDENTIFIER, packed, parsed
from convert.network.from_keras import PIXEL_SCALE, PIXEL_ZERO_POINT
from convert.network.ranges import StoredRanges
from convert.network.uint8_input import with_uint8_input
from convert.network.variants import VARIANTS
from convert.synthetic_inputs import drawn_inputs
from edge.classification.classifier import Classifier
from edge.classification.model_card import attach_card, read_card
from edge.common.paths import shipped_model
from tests.support.runtimes import INSTALLED_RUNTIMES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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


def scores(model: Path, runtime: str) -> list[dict[str, float]]:
    classifier = Classifier(model, runtime=runtime)
    return [classifier.classify_crop(crop).by_label for crop in drawn_inputs(40, 96)]


def test_compact_model_gives_identical_scores(
    tmp_path: Path, float_flatbuffer: bytes, stored_ranges: StoredRanges
) -> None:
    card = read_card(shipped_model().read_bytes(), shipped_model())
    for name, variant in VARIANTS.items():
        made = variant.make(float_flatbuffer, stored_ranges.ranges)
        whole = with_uint8_input(made, PIXEL_SCALE, PIXEL_ZERO_POINT)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(parsed(whole).Pack(builder), FILE_IDENTIFIER)
        long, short = tmp_path / f"{name}-long", tmp_path / f"{name}-short"
        long.write_bytes(attach_card(bytes(builder.Output()), card))
        short.write_bytes(attach_card(compact(whole), card))
        assert long.stat().st_size > short.stat().st_size + 8000
        for runtime in INSTALLED_RUNTIMES:
            assert scores(long, runtime) == scores(short, runtime)
