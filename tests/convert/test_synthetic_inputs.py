"""The synthetic pictures on which a conversion is checked without a data set."""

from __future__ import annotations

import numpy as np
import pytest

from convert.synthetic_inputs import drawn_inputs

pytestmark = pytest.mark.slow


def test_drawn_pictures_are_reproducible_and_distinct() -> None:
    first, again = drawn_inputs(20, 96), drawn_inputs(20, 96)
    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype) == ((20, 96, 96, 3), np.uint8)
    assert len({picture.tobytes() for picture in first}) == 20
