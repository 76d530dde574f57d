"""The report for a terminal."""

from __future__ import annotations

from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.data.datasets import LABELS
from training.evaluation.terminal_report import report_lines

TWO, THREE = LABELS[2], LABELS[3]


def test_text_has_metrics_intervals_and_counts() -> None:
    faces = [bare(0.9), bare(0.8), bare(0.2), masked(0.1), masked(0.3)]
    lines = list(report_lines(evaluation(predictions(TWO, faces))))
    assert lines[0] == "m with r on made up (test)"
    assert lines[1] == "labels     mask, no_mask"
    assert lines[2].startswith("accuracy   0.8000 [")
    assert lines[2].endswith("] over 5 faces, 0 left out")
    assert any(line.startswith("no_mask against the others: area under ROC") for line in lines)
    # At the score 0.2 three of four faces are bare.
    assert any(line.startswith("no_mask: recall at precision 0.7 1.0000") for line in lines)
    assert any("66.7% [" in line and "0.0% [0.0, " in line for line in lines)
    assert max(map(len, lines)) <= 125
