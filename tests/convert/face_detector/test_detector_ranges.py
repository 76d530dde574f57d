"""Fixed ranges for the outputs of the face detector's network."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from convert.face_detector.detector_ranges import CODES, LOGITS, limited_ranges
from convert.network.flatbuffer import parsed
from edge.detection.point_grid import MAX_LOG_SIDE, InputSize
from training.face_detector.targets import CENTRE_RADIUS, LEVEL_SIZES, MIN_FACE_PX

pytestmark = pytest.mark.timeout(600)


def test_codes_of_all_faces_are_in_range() -> None:
    assert CODES[1] > CENTRE_RADIUS
    largest = max(
        240 / 32, *(high / stride for stride, (_, high) in LEVEL_SIZES.items() if stride < 32)
    )
    assert math.log(largest) < CODES[1] <= MAX_LOG_SIDE
    assert math.log(MIN_FACE_PX / 8) > CODES[0]
    assert LOGITS == (-6.0, 6.0)


@pytest.mark.slow
def test_outputs_and_what_they_arrange_get_the_limits(converted_detector: Path) -> None:
    flatbuffer = (converted_detector / "face-float32.tflite").read_bytes()
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    ranges = {bytes(t.name).decode(): (-50.0, 50.0) for t in graph.tensors}
    limited = limited_ranges(flatbuffer, ranges, InputSize())
    changed = {name: limits for name, limits in limited.items() if limits != (-50.0, 50.0)}
    # Each output is a concatenation of three levels, each of which is a reshaped convolution.
    assert sorted(changed.values()) == sorted([LOGITS] * 7 + [CODES] * 7)
    shapes = {bytes(t.name).decode(): tuple(t.shape) for t in graph.tensors}
    assert {shapes[name][-1] for name, limits in changed.items() if limits == CODES} == {4}
