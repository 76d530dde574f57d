"""The figures of a classifier by which `adopt` compares it with another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError
from training.adoption.comparison import Figure
from training.data.crops import is_evaluated
from training.data.datasets import LABELS, DataSet, check_classes, read_datasets
from training.data.splits import Split
from training.evaluation.predictions import Predictions, collect_predictions, pool
from training.evaluation.scorers import Scorer, load_scorer
from training.network.model_report import Report

ALERT_LABEL, MASKED = "no_mask", "mask"


def test_sets(data: Sequence[Path], labels: tuple[str, ...]) -> list[DataSet]:
    """Return those data sets that have test faces; raises UsageError if a label has none."""
    datasets = read_datasets(list(data), labels)
    check_classes(datasets, Split.TEST, labels)
    return [each for each in datasets if any(map(is_evaluated, each.in_split(Split.TEST)))]


def compared_answers(models: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the answers that all models have in common; `models` are the labels of each.

    A model of three labels also has the answer with two of them.
    """
    most = min(map(len, models))
    return [labels for number, labels in sorted(LABELS.items()) if number <= most]


def classifier_figures(
    model: Path, report: Report, answers: Sequence[tuple[Sequence[DataSet], tuple[str, ...]]]
) -> list[Figure]:
    """Measure each of the `answers` of `model` on test splits, at its own alert threshold.

    `report` is the model's own. `answers` are labels, each with the data sets to measure them on. A
    data set counts by the number of its faces, but each label counts equally. Raises UserError if
    no face of a label can be evaluated.
    """
    figures = [Figure("number of labels", len(report.labels), decides=True, places=0)]
    for datasets, labels in answers:
        scorer = load_scorer(model, None, len(labels))
        figures += [
            dataclasses.replace(each, name=f"{len(labels)} labels: {each.name}")
            for each in _answer_figures(scorer, datasets)
        ]
    return figures


def _answer_figures(scorer: Scorer, datasets: Sequence[DataSet]) -> list[Figure]:
    assert scorer.threshold is not None
    found = pool(
        [
            collect_predictions(scorer, each, each.in_split(Split.TEST), f"{each.name} test")
            for each in datasets
        ]
    )
    right = found.scores.argmax(axis=1) == found.truth
    flagged = found.scores_of(ALERT_LABEL) >= scorer.threshold
    recalls = [_share(right, found, label) for label in scorer.labels]
    bare, masked = (_share(flagged, found, label) for label in (ALERT_LABEL, MASKED))
    return [
        Figure("accuracy", float(right.mean())),
        Figure("mean accuracy of the labels", sum(recalls) / len(recalls), decides=True),
        Figure("alert threshold", scorer.threshold),
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
