"""The parity gate compares the scores and labels of a conversion with those of Keras."""

from __future__ import annotations

import numpy as np
import pytest

from convert.classifier.parity import check_parity, compare
from edge.common.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def shares(bare: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([[1 - value, value] for value in bare], np.float32)


def test_parity_counts_clear_pictures_and_measures_all() -> None:
    found = compare(shares([0.9, 0.1, 0.55, 0.8]), shares([0.8, 0.1, 0.45, 0.3]))
    assert (found.sure, found.count) == (3, 4)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.differ == pytest.approx(2 / 4)
    assert found.distance == pytest.approx((0.1 + 0.0 + 0.1 + 0.5) / 4)


@pytest.mark.parametrize(
    ("keras", "int8"),
    [
        ([0.9] * 40, [0.9] * 38 + [0.4] * 2),  # labels differ, scores hardly
        ([0.9] * 40, [0.87] * 40),  # scores differ, labels never
    ],
)
def test_either_difference_closes_the_gate(keras: list[float], int8: list[float]) -> None:
    with pytest.raises(UserError, match="int8 model is not written"):
        check_parity(compare(shares(keras), shares(int8)), "int8")


def test_equal_model_passes_the_gate() -> None:
    parity = compare(shares([0.9, 0.2, 0.52]), shares([0.91, 0.19, 0.49]))
    check_parity(parity, "int8")
    assert parity.agreement == 1.0
