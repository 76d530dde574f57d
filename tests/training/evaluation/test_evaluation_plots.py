"""Plots of an evaluation: a plot for which the data has too few labels is not drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.data.datasets import LABELS
from training.evaluation.evaluate import EvaluationResult
from training.evaluation.evaluation_metrics import EvaluationContext
from training.evaluation.evaluation_plots import write_plots


def result(faces: list[tuple[str, list[float]]]) -> EvaluationResult:
    found = predictions(LABELS[2], faces)
    context = EvaluationContext("m", "r", "made up", "test", 0, 0.5)
    return EvaluationResult(context, found, np.zeros(len(faces), np.bool_), evaluation(found))


@pytest.mark.slow
def test_plots_of_both_classes_are_written(tmp_path: Path) -> None:
    faces = [bare(0.9 - 0.02 * i) for i in range(12)] + [masked(0.02 * i) for i in range(12)]
    titles = write_plots(tmp_path, [result(faces)], [])
    assert {"alerts.png", "confusion.png", "roc.png", "precision-recall.png"} <= set(titles)
    assert {path.name for path in tmp_path.iterdir()} == set(titles)
    assert all(cv2.imread(str(tmp_path / name)) is not None for name in titles)


def test_curves_need_both_classes(tmp_path: Path) -> None:
    titles = write_plots(tmp_path, [result([masked(0.1), masked(0.3)])], [])
    assert not {"alerts.png", "roc.png", "precision-recall.png"} & set(titles)
    assert {"confusion.png", "scores.png"} <= set(titles)
