"""The value ranges of the activations of the shipped model."""

from __future__ import annotations

import pytest

from convert.network.activation_ranges import ranges_of
from convert.network.ranges import StoredRanges
from convert.synthetic_inputs import drawn_inputs

pytestmark = pytest.mark.slow


def test_every_activation_has_a_range(float_flatbuffer: bytes, stored_ranges: StoredRanges) -> None:
    crops = drawn_inputs(3, 96)
    found = ranges_of(float_flatbuffer, crops)
    assert list(found) == sorted(stored_ranges.ranges)
    (pixels,) = (found[name] for name in found if "pixels" in name)
    assert pixels == ((crops.min() - 128.0) / 128, (crops.max() - 128.0) / 128)
    for name, (low, high) in found.items():
        assert low <= high
        if "Relu6" in name.split(";")[0]:
            assert low >= 0
            assert high <= 6


def test_ranges_cover_all_crops_in_any_order(float_flatbuffer: bytes) -> None:
    crops = drawn_inputs(3, 96)
    parts = [ranges_of(float_flatbuffer, crops[index : index + 1]) for index in range(3)]
    wanted = {
        name: (min(part[name][0] for part in parts), max(part[name][1] for part in parts))
        for name in parts[0]
    }
    assert ranges_of(float_flatbuffer, crops) == wanted
    assert ranges_of(float_flatbuffer, crops[::-1]) == wanted
