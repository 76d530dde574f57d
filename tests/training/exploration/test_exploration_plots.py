"""Plots of data sets' statistics."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.support.training import datasets
from tests.support.training.patterns import pattern_folders, stats_of
from training.data.picture_style import COMBINED_MEASURES, MEASURES
from training.exploration.exploration_plots import (
    draw_balance,
    draw_separations,
    draw_sizes,
    draw_style,
    styles_of,
)


def height_of(path: Path) -> int:
    return int(cv2.imread(str(path)).shape[0])


def test_each_split_with_faces_is_a_row(tmp_path: Path) -> None:
    one_split = stats_of(pattern_folders(tmp_path / "one", {"Train/Mask": 2, "Train/NoMask": 2}))
    folders = {f"{split}/{name}": 2 for split in ("Train", "Test") for name in ("Mask", "NoMask")}
    two_splits = stats_of(pattern_folders(tmp_path / "two", folders))
    draw_balance(tmp_path / "one.png", [one_split])
    draw_balance(tmp_path / "two.png", [two_splits])
    assert height_of(tmp_path / "one.png") < height_of(tmp_path / "two.png")


def test_boxed_faces_get_a_second_histogram(tmp_path: Path) -> None:
    whole = stats_of(pattern_folders(tmp_path / "whole", {"mask": 3, "no_mask": 3}))
    boxes = {"a": [("with_mask", (5.0, 5.0, 60.0, 66.0))]}
    boxed = stats_of(datasets.voc(tmp_path / "boxed", boxes))
    draw_sizes(tmp_path / "whole.png", [whole])
    draw_sizes(tmp_path / "both.png", [whole, boxed])
    assert height_of(tmp_path / "whole.png") < height_of(tmp_path / "both.png")


def test_faces_too_small_to_evaluate_have_no_style(tmp_path: Path) -> None:
    boxes = [("with_mask", (5.0, 5.0, 60.0, 66.0)), ("with_mask", (100.0, 5.0, 20.0, 22.0))]
    stats = stats_of(datasets.voc(tmp_path / "boxed", {"a": boxes}))
    assert len(stats.faces) == 2
    assert len(styles_of(stats, "mask")) == 1
    draw_style(tmp_path / "style.png", [stats])
    assert height_of(tmp_path / "style.png") > 0


@pytest.mark.parametrize("rows", [1, 3])
def test_separability_table_has_a_row_for_each_pair(tmp_path: Path, rows: int) -> None:
    values = dict.fromkeys([*MEASURES, *COMBINED_MEASURES], 0.7)
    path = tmp_path / "separability.png"
    draw_separations(path, [(f"pair {index}", values) for index in range(rows)])
    one_row_px = 144 * (1.6 + 0.32)
    assert height_of(path) == pytest.approx(one_row_px + 144 * 0.32 * (rows - 1), abs=2)
