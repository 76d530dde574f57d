"""The pictures for computing activation ranges and for comparing a conversion with Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.classifier.pictures import DRAWINGS, check_set, training_crops
from convert.synthetic_inputs import drawn_inputs
from edge.common.errors import UserError
from tests.support.training import datasets
from training.data.datasets import read_datasets

pytestmark = pytest.mark.slow
LABELS = ("mask", "no_mask")


def test_drawings_are_used_without_data() -> None:
    check = check_set([], LABELS, 96)
    assert check.description == "300 drawings"
    np.testing.assert_array_equal(check.pixels, drawn_inputs(DRAWINGS, 96))
    assert check.truth.tolist() == [-1] * DRAWINGS
    assert check.parts == {}


def test_ranges_need_pictures() -> None:
    with pytest.raises(UserError, match="no picture to compute activation ranges from"):
        training_crops([])


def test_parts_of_data_sets_are_kept_apart(tmp_path: Path) -> None:
    data = read_datasets([datasets.kaggle(tmp_path / "faces", 3)], LABELS)
    check = check_set(data, LABELS, 96)
    assert check.description == "6 test faces of faces"
    assert check.parts == {"faces": slice(0, 6)}
    assert sorted(check.truth.tolist()) == [0, 0, 0, 1, 1, 1]
    crops = training_crops(data)
    assert (check.pixels.shape, check.pixels.dtype) == ((6, 96, 96, 3), np.uint8)
    assert (crops.shape, crops.dtype) == ((6, 96, 96, 3), np.uint8)
    assert not {crop.tobytes() for crop in crops} & {crop.tobytes() for crop in check.pixels}
