"""Style measures, and how well they separate labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.training import datasets
from training.data.picture_style import (
    COMBINED_MEASURES,
    MEASURES,
    MIN_SAMPLES,
    Style,
    separabilities,
    separability,
    style_of,
)

values = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(values, values)
def test_separability_is_folded_roc_area(a: list[float], b: list[float]) -> None:
    from sklearn.metrics import roc_auc_score

    area = roc_auc_score([1] * len(a) + [0] * len(b), a + b)
    assert separability(a, b) == pytest.approx(max(area, 1 - area))
    assert separability(a, b) == pytest.approx(separability(b, a))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1, 2], [3, 4], 1), ([3, 4], [1, 2], 1), ([1, 1], [1, 1], 0.5), ([1, 3], [2, 4], 0.75)],
)
def test_separability_of_known_values(a: list[float], b: list[float], expected: float) -> None:
    assert separability(a, b) == expected


def test_empty_group_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        separability([], [1.0])


def test_style_measures_light_colour_and_blur() -> None:
    rng = np.random.default_rng(0)
    plain = np.asarray(
        np.clip(datasets.pattern(96, 1) + rng.normal(0, 9, (96, 96, 3)), 0, 255), np.uint8
    )
    blurred = np.asarray(cv2.GaussianBlur(plain, (0, 0), 4), np.uint8)
    grey = np.repeat(plain.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    normal, dark, soft, pale = (
        style_of(picture, 80, 100) for picture in (plain, plain // 2, blurred, grey)
    )
    assert dark.brightness == pytest.approx(normal.brightness / 2, abs=1)
    assert soft.sharpness < normal.sharpness / 1.5
    assert (pale.colour, normal.colour > 20) == (0, True)
    assert (normal.side_px, normal.aspect) == (80, 0.8)


def test_mask_does_not_affect_style() -> None:
    bare = datasets.pattern(96, 1)
    masked = bare.copy()
    masked[48:] = 250
    assert style_of(masked, 96, 96) == style_of(bare, 96, 96)


def test_combined_measures_separate_more() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, len(MEASURES)))
    alike, opposed = (
        [Style(*row) for row in rows if (row[0] * row[1] > 0) == same] for same in (True, False)
    )
    found = separabilities(alike, opposed)
    assert set(found) == {*MEASURES, *COMBINED_MEASURES}
    assert max(found[measure] for measure in MEASURES) < 0.6
    assert min(found[name] for name in COMBINED_MEASURES) > 0.9
    assert separabilities(alike[: MIN_SAMPLES - 1], opposed) == {}
