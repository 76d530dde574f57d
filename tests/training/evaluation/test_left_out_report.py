"""The table of networks that were trained without the data set that they are evaluated on."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge.common.errors import UserError
from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.common.struct_file import write_struct
from training.data.datasets import LABELS
from training.evaluation.left_out_report import (
    LeftOutResults,
    left_out_section,
    left_out_source,
    left_out_table,
    read_left_out,
    write_left_out_plot,
)

THREE = [
    ("mask", [0.9, 0.05, 0.05]),
    ("no_mask", [0.1, 0.8, 0.1]),
    ("no_mask", [0.1, 0.3, 0.6]),
    ("incorrect_mask", [0.2, 0.1, 0.7]),
    ("incorrect_mask", [0.5, 0.1, 0.4]),
]


def results() -> LeftOutResults:
    two = evaluation(predictions(LABELS[2], [bare(0.9), bare(0.4), masked(0.1)]))
    three = evaluation(predictions(LABELS[3], THREE))
    return LeftOutResults(
        labels=list(LABELS[3]),
        net="small",
        steps=7,
        sources=[left_out_source(three, ["one", "other"]), left_out_source(two, ["one"])],
    )


def test_figures_are_those_of_the_evaluation() -> None:
    three = results().sources[0]
    values = {title: each.value for title, each in three.figures.items() if each is not None}
    assert (three.source, three.trained_on, three.faces) == ("made up", ["one", "other"], 5)
    assert values["accuracy"] == pytest.approx(0.6)
    assert values["`incorrect_mask`: precision"] == values["`incorrect_mask`: recall"] == 0.5
    # At the score 0.7 the precision is 1 and the recall a half; below it the precision is too low.
    assert values["`incorrect_mask`: recall at precision 0.7"] == 0.5
    assert values["bare flagged at 2% of the masked"] == 1.0
    assert values["bare flagged at the threshold"] == 0.5
    assert values["masked flagged at the threshold"] == 0.0
    assert 0 < values["ECE"] < 1


def test_table_has_a_row_for_each_data_set() -> None:
    lines = left_out_table(results())
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert lines[2].startswith("| made up | 5 | 60.0% [")
    assert lines[3].endswith("| - | - | - |")  # a network of two labels has no incorrect_mask
    assert "`--net small`, 7 steps" in "\n".join(left_out_section(results()))


def test_results_can_be_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "left-out.json"
    write_struct(path, results())
    assert read_left_out(path) == results()
    path.write_text('{"labels": 3}')
    with pytest.raises(UserError, match=r"left-out\.json is invalid"):
        read_left_out(path)


def test_plot_is_drawn(tmp_path: Path) -> None:
    write_left_out_plot(tmp_path / "left-out.png", results())
    assert cv2.imread(str(tmp_path / "left-out.png")) is not None
