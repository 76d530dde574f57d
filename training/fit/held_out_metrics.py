"""Metrics of a freshly trained Keras model on the test splits of its own data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.data.datasets import DataSet
from training.data.splits import Split


def test_split_metrics(model: Path, datasets: list[DataSet], names: list[str]) -> dict[str, Any]:
    """Return the accuracy and the confusion matrix on the test split of each of `datasets` that is
    listed in `names`.
    """
    from training.evaluation.evaluate import evaluate

    metrics: dict[str, Any] = {}
    for dataset in datasets:
        if dataset.name in names and dataset.in_split(Split.TEST):
            evaluation = evaluate(model, dataset.argument or dataset.root, Split.TEST, None)
            metrics[f"{dataset.name} test, Keras float"] = {
                "accuracy": round(evaluation.figures.accuracy, 4),
                "faces": evaluation.figures.count,
                "confusion": evaluation.figures.confusion,
            }
    return metrics
