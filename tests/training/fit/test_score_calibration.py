"""Calibration: a known distortion of scores is found and removed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.common.metrics import Floats, Ints
from training.fit.score_calibration import fit_calibration


def world(count: int, labels: int, seed: int) -> tuple[Floats, Ints]:
    """Return logits, and labels drawn with the probabilities that the logits give."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, labels))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = [int(rng.choice(labels, p=each)) for each in shares]
    return logits.astype(np.float32), np.array(truth, np.int64)


@given(
    scale=st.floats(0.5, 2.5),
    offsets=st.lists(st.floats(-1, 1), min_size=2, max_size=3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=8)
def test_known_distortion_is_removed(scale: float, offsets: list[float], seed: int) -> None:
    logits, truth = world(3000, len(offsets), seed)
    wrong = ((logits - np.array(offsets)) / scale).astype(np.float32)
    found = fit_calibration([wrong], [truth])
    assert found.scale == pytest.approx(scale, rel=0.15)
    centred = np.array(offsets) - np.mean(offsets)
    np.testing.assert_allclose(found.offsets, centred, atol=0.3)


def test_data_sets_count_equally() -> None:
    large, truth = world(4000, 2, 1)
    small, other = world(200, 2, 2)
    leaning = small + np.array([1.5, 0.0], np.float32)
    both = fit_calibration([large, leaning], [truth, other])
    large_alone = fit_calibration([large], [truth])
    assert both.offsets[0] < large_alone.offsets[0] - 0.2


def test_absent_label_keeps_small_offset() -> None:
    logits, truth = world(300, 2, 3)
    three = np.concatenate([logits, np.full((300, 1), -6, np.float32)], axis=1)
    found = fit_calibration([three], [truth])
    assert all(abs(offset) < 1.0 for offset in found.offsets)


def test_data_set_that_lacks_a_label_says_nothing_about_its_frequency() -> None:
    logits, truth = world(2000, 3, 4)
    two_labels = truth < 2
    alone = fit_calibration([logits], [truth])
    beside = fit_calibration(
        [logits, logits[two_labels] + np.array([0, 0, 3], np.float32)], [truth, truth[two_labels]]
    )
    np.testing.assert_allclose(beside.offsets, alone.offsets, atol=0.2)
