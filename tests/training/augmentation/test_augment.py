"""Augmented crops: reproducible, of the right size, and centred on the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.arrays import Box
from tests.support.training import datasets
from training.augmentation.augment import augment
from training.data.crops import Face

boxes = st.tuples(st.floats(-50, 150), st.floats(-50, 150), st.floats(5, 120), st.floats(5, 120))


def test_same_random_numbers_give_same_crop() -> None:
    face = Face(datasets.pattern(200), (50.0, 50.0, 100.0, 100.0), "mask", annotated=True)
    crops = [augment(face, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(crops[0], crops[1])
    assert (crops[0] != crops[2]).any()


@settings(max_examples=60)
@given(boxes, st.integers(0, 2**32), st.booleans())
def test_crop_has_the_models_size(box: Box, seed: int, annotated: bool) -> None:
    face = Face(datasets.pattern(100), box, "mask", annotated)
    crop = augment(face, np.random.default_rng(seed))
    assert (crop.shape, crop.dtype) == ((96, 96, 3), np.uint8)


def test_crops_are_centred_on_the_box() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(image, (90, 120), 12, (255, 255, 255), -1)
    face = Face(image, (60.0, 90.0, 60.0, 60.0), "mask", annotated=True)
    rng = np.random.default_rng(3)
    total = np.mean([augment(face, rng).mean(axis=2) for _ in range(1200)], axis=0)
    light = total - np.median(total)
    light[light < light.max() / 4] = 0
    middle = [np.average(np.arange(96), weights=light.sum(axis=axis)) for axis in (0, 1)]
    assert middle == pytest.approx([47.5, 47.5], abs=1.5)


def test_some_crops_are_as_dark_as_a_door_at_night() -> None:
    """Without such crops the classifier takes dark bare faces for masked ones."""
    face = Face(datasets.pattern(200), (50.0, 50.0, 100.0, 100.0), "no_mask", annotated=True)
    lumas = [augment(face, np.random.default_rng(seed)).mean() for seed in range(400)]
    assert np.mean(np.array(lumas) < 48) > 0.1
    assert np.mean(np.array(lumas) < 16) > 0.02
