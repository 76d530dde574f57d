"""The expected calibration error, compared with values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.calibration_error import calibration_errors, reliability


def test_error_is_mean_gap_of_score_and_share() -> None:
    scores = np.array([0.05, 0.15, 0.15, 0.95, 0.95, 0.95, 0.95, 1.0], np.float32)
    is_true = np.array([0, 0, 1, 1, 1, 1, 0, 1], bool)
    found = reliability(scores, is_true, np.arange(8))
    assert [(each.low, each.share.count) for each in found.bins] == [(0.0, 1), (0.1, 2), (0.9, 5)]
    assert [each.share.value for each in found.bins] == pytest.approx([0, 0.5, 0.8])
    assert [each.score for each in found.bins] == pytest.approx([0.05, 0.15, 0.96])
    assert found.ece.value == pytest.approx((1 * 0.05 + 2 * 0.35 + 5 * 0.16) / 8)
    assert 0 <= found.ece.low <= found.ece.high <= 1


def test_error_of_parts() -> None:
    scores = np.array([0.9, 0.9, 0.6, 0.6, np.nan], np.float32)
    is_true = np.array([1, 1, 1, 0, 0], bool)
    halves = np.array([1, 1, 0, 0, 0], bool), np.array([0, 0, 1, 1, 0], bool)
    nothing = np.zeros(5, bool)
    parts = {"sure": (scores, is_true, halves[0]), "doubtful": (scores, is_true, halves[1])}
    found = calibration_errors({**parts, "none": (scores, is_true, nothing)}, np.arange(5))
    sure, doubtful = found["sure"], found["doubtful"]
    assert sure is not None
    assert doubtful is not None
    assert (sure.value, sure.count) == (pytest.approx(0.1), 2)
    assert (doubtful.value, doubtful.count) == (pytest.approx(0.1), 2)
    assert doubtful.low <= doubtful.value <= doubtful.high
    assert found["none"] is None
    assert calibration_errors({}, np.arange(5)) == {}


@pytest.mark.slow
def test_probabilities_have_small_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(20_000).astype(np.float32)
    calibrated = reliability(scores, rng.random(20_000) < scores, np.arange(20_000))
    overconfident = reliability(scores, rng.random(20_000) < scores / 2, np.arange(20_000))
    assert calibrated.ece.value < 0.015
    assert overconfident.ece.value == pytest.approx(0.25, abs=0.015)
