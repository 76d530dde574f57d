"""Invented predictions of a model, and their evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.datasets import Sample
from training.data.splits import Split
from training.evaluation.evaluation_metrics import Evaluation, EvaluationContext, evaluation_of
from training.evaluation.predictions import Predictions


def predictions(
    labels: tuple[str, ...],
    faces: list[tuple[str, list[float]]],
    names: list[str] | None = None,
    width_px: list[float] | None = None,
    luma: list[float] | None = None,
) -> Predictions:
    """Return predictions for `faces` (pairs of true label and scores), each in its own picture."""
    count = len(faces)
    names = names or [f"{index}.png" for index in range(count)]
    return Predictions(
        labels,
        ("made up",),
        tuple(
            Sample(Path(name), label, Split.TEST)
            for name, (label, _) in zip(names, faces, strict=True)
        ),
        np.array([scores for _, scores in faces], np.float32),
        np.array(width_px or [100.0] * count, np.float32),
        np.array(luma or [120.0] * count, np.float32),
        np.full(count, 30.0, np.float32),
        np.zeros(count, np.bool_),
        np.zeros(count, np.int64),
    )


def evaluation(found: Predictions, threshold: float | None = 0.5) -> Evaluation:
    """Return the evaluation of `found` at an alert threshold."""
    return evaluation_of(EvaluationContext("m", "r", "made up", "test", 0, threshold), found)


def bare(score: float) -> tuple[str, list[float]]:
    """Return a bare face with this `no_mask` score."""
    return "no_mask", [1 - score, score]


def masked(score: float) -> tuple[str, list[float]]:
    """Return a masked face with this `no_mask` score."""
    return "mask", [1 - score, score]
