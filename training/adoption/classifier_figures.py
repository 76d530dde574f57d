"""The figures of a classifier by which `adopt` compares it with another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError
from training.adoption.comparison import Figure
from training.data.crops import is_evaluated
from training.data.datasets import DataSet, check_classes, read_datasets
from training.data.splits import Split
from training.evaluation.predictions import Predictions, collect_predictions, pool
from training.evaluation.scorers import load_scorer

ALERT_LABEL, MASKED = "no_mask", "mask"


def test_sets(data: Sequence[Path], labels: tuple[str, ...]) -> list[DataSet]:
    """Return those data sets that have test faces; raises UsageError if a label has none."""
    datasets = read_datasets(list(data), labels)
    check_classes(datasets, Split.TEST, labels)
    return [each for each in datasets if any(map(is_evaluated, each.in_split(Split.TEST)))]


def classifier_figures(
    model: Path, datasets: Sequence[DataSet], labels: tuple[str, ...], threshold: float
) -> list[Figure]:
    """Measure `model` on the test splits; `threshold` is its own alert threshold.

    A data set counts by the number of its faces, but each label counts equally. Raises UserError if
    the model has other labels, or no face of a label can be evaluated.
    """
    scorer = load_scorer(model, None)
    if len(scorer.labels) != len(labels):
        raise UserError(f"{model} has other labels than {', '.join(labels)}")
    found = pool(
        [
            collect_predictions(scorer, each, each.in_split(Split.TEST), f"{each.name} test")
            for each in datasets
        ]
    )
    right = found.scores.argmax(axis=1) == found.truth
    flagged = found.scores_of(ALERT_LABEL) >= threshold
    recalls = [_share(right, found, label) for label in labels]
    bare, masked = (_share(flagged, found, label) for label in (ALERT_LABEL, MASKED))
    return [
        Figure("accuracy", float(right.mean())),
        Figure("mean accuracy of the labels", sum(recalls) / len(recalls), decides=True),
        Figure("alert threshold", threshold),
        Figure("bare faces flagged", bare),
        Figure("masked faces flagged", masked),
        Figure("mean share of right alerts", (bare + 1 - masked) / 2, decides=True),
    ]


def _share(chosen: npt.NDArray[np.bool_], found: Predictions, label: str) -> float:
    """Return the share of the faces with `label` that are `chosen`."""
    of_label = found.is_label(label)
    if not of_label.any():
        raise UserError(f"no test face with the label {label} is readable and 28 px wide")
    return float(chosen[of_label].mean())
