"""Plots of slices: error bars, and slices that are too small to draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.common.intervals import Estimate
from training.data.datasets import LABELS
from training.evaluation.evaluation_metrics import Evaluation
from training.evaluation.slice_plots import MIN_SAMPLES, errors_percent, write_slice_plots


def two_widths(faces_each: int) -> Evaluation:
    faces = [bare(0.9), masked(0.2)] * faces_each
    widths = [30.0] * faces_each + [200.0] * faces_each
    return evaluation(predictions(LABELS[2], faces, width_px=widths))


def test_error_bars_reach_the_ends_of_the_interval() -> None:
    found = errors_percent([Estimate(0.5, 0.4, 0.8, 9), Estimate(1.0, 0.9, 1.0, 9)])
    np.testing.assert_allclose(found, [[10, 10], [30, 0]])


@pytest.mark.parametrize(("faces", "written"), [(MIN_SAMPLES, ["by-width.png"]), (4, [])])
def test_small_slices_are_not_drawn(tmp_path: Path, faces: int, written: list[str]) -> None:
    titles = write_slice_plots(tmp_path, [two_widths(faces)])
    assert list(titles) == written
    assert [path.name for path in tmp_path.iterdir()] == written


def test_kinds_of_masks_get_a_plot(tmp_path: Path) -> None:
    faces = [masked(0.1), ("incorrect_mask", [0.3, 0.7])]
    found = evaluation(predictions(LABELS[2], faces, ["1_Mask.jpg", "2_Mask_Chin.jpg"]))
    assert list(write_slice_plots(tmp_path, [found])) == ["kinds.png"]
    assert (tmp_path / "kinds.png").is_file()
