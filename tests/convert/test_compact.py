"""A compacted flatbuffer has short names and no notes of the converter, and gives the same scores
as before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.compact import compact
from convert.flatbuffer import packed, parsed
from convert.synthetic_inputs import drawn_inputs
from convert.variants import VARIANTS
from edge.classification.classifier import Classifier
from tests.support.runtimes import INSTALLED_RUNTIMES
from tests.support.training.datasets import ROOT, python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


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


LONG_AND_SHORT = """
import sys
from pathlib import Path
import flatbuffers
from convert.compact import compact
from convert.flatbuffer import FILE_IDENTIFIER, parsed
from convert.from_keras import PIXEL_SCALE, PIXEL_ZERO_POINT, float_flatbuffer, load_keras
from convert.ranges import read_ranges
from convert.uint8_input import with_uint8_input
from convert.variants import VARIANTS
from edge.classification.model_card import attach_card, read_card
from training.network.model_report import read_report, report_path

models, folder = map(Path, sys.argv[1:])
card = read_card((models / "mask.tflite").read_bytes(), models)
ranges = read_ranges(models / "mask.ranges.json", card.keras_sha256).ranges
whole = float_flatbuffer(load_keras(models / "mask.keras"))
for name, variant in VARIANTS.items():
    long = with_uint8_input(variant.make(whole, ranges), PIXEL_SCALE, PIXEL_ZERO_POINT)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(parsed(long).Pack(builder), FILE_IDENTIFIER)
    (folder / f"{name}-long").write_bytes(attach_card(bytes(builder.Output()), card))
    (folder / f"{name}-short").write_bytes(attach_card(compact(long), card))
"""


def test_compact_model_gives_identical_scores(tmp_path: Path) -> None:
    done = python("-c", LONG_AND_SHORT, MODELS, tmp_path)
    assert done.returncode == 0, done.stderr
    for variant in VARIANTS:
        long, short = tmp_path / f"{variant}-long", tmp_path / f"{variant}-short"
        assert long.stat().st_size > short.stat().st_size + 8000
        for runtime in INSTALLED_RUNTIMES:
            assert scores(long, runtime) == scores(short, runtime)
