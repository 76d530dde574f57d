"""Evaluation of a model on data sets: a `.tflite` model exactly as the Pi runs it, or a `.keras`
model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError
from training.common.metrics import alert_threshold
from training.data.crops import is_evaluated
from training.data.datasets import DataSet, Sample
from training.data.duplicates import Fingerprint
from training.data.splits import Split
from training.evaluation.evaluation_metrics import (
    MASKED,
    ChosenThreshold,
    Evaluation,
    EvaluationContext,
    WithoutCopies,
    accuracy_estimate,
    evaluation_of,
    masked_scores,
)
from training.evaluation.predictions import (
    Predictions,
    collect_predictions,
    pool,
    read_with_all_labels,
    samples_in,
    split_for,
)
from training.evaluation.scorers import Scorer, load_scorer
from training.evaluation.train_overlap import repeats_training_picture

POOLED_NAME = "all together"
#: Fingerprints of training pictures, by the name of their data set.
TrainingFingerprints = Mapping[str, list[Fingerprint]]


@dataclass(frozen=True)
class EvaluationTask:
    """A split of a data set: all its `samples`, whatever their label and size."""

    data: DataSet
    split: str
    samples: list[Sample]


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation and what it was computed from.

    `is_copy` (n,): which faces of `predictions` are near-duplicates of a training picture in one of
    `context.without_copies_of`.
    """

    context: EvaluationContext
    predictions: Predictions
    is_copy: npt.NDArray[np.bool_]
    evaluation: Evaluation


def evaluate(model: Path, root: Path, split: str | None, runtime: str | None) -> Evaluation:
    """Evaluate `model` on one split of the data set in `root`.

    If `split` is None, evaluate the test split if the data set has splits (folders, or boxed scenes
    split by file name), and all pictures of plain class folders.
    """
    scorer = load_scorer(model, runtime)
    return run_task(scorer, model, plan_task(scorer.labels, root, split), None, {}).evaluation


def plan_task(labels: Sequence[str], root: Path, split: str | None) -> EvaluationTask:
    """Choose what to evaluate of a model with these labels on the data set in `root`.

    Raises UserError if it has no face to evaluate.
    """
    data = read_with_all_labels(root)
    chosen = split_for(data, split)
    samples = samples_in(data, chosen)
    if not any(is_evaluated(sample) and sample.label in labels for sample in samples):
        part = f"the {chosen} split of {root}" if chosen in list(Split) else str(root)
        raise UserError(f"{part} has no face to evaluate")
    return EvaluationTask(data, chosen, samples)


def with_distinct_names(tasks: Sequence[EvaluationTask]) -> list[EvaluationTask]:
    """Return `tasks`, in which data sets of the same name are named by their paths instead."""
    names = Counter(task.data.name for task in tasks)
    return [
        task
        if names[task.data.name] == 1
        else replace(task, data=replace(task.data, name=str(task.data.root)))
        for task in tasks
    ]


def choose_on_validation(
    scorer: Scorer, tasks: Sequence[EvaluationTask], false_alarms: float
) -> ChosenThreshold | None:
    """Choose the lowest threshold at which at most `false_alarms` of the masked faces are flagged.

    The threshold is chosen on the validation splits of the data sets whose test split is evaluated.
    Returns None if there are no such splits, or if these splits have no masked face.
    """
    scores = {}
    for data in (task.data for task in tasks if task.split == Split.TEST):
        samples = [s for s in data.in_split(Split.VALIDATION) if s.label == MASKED]
        if any(is_evaluated(sample) for sample in samples):
            masked = collect_predictions(scorer, data, samples, f"{data.name} validation")
            scores[data.name] = masked_scores(masked)
    if not scores:
        return None
    threshold = alert_threshold(list(scores.values()), false_alarms)
    return ChosenThreshold(threshold, false_alarms, list(scores), sum(map(len, scores.values())))


def run_task(
    scorer: Scorer,
    model: Path,
    task: EvaluationTask,
    chosen: ChosenThreshold | None,
    training_pictures: TrainingFingerprints,
    altered: bool = False,
) -> EvaluationResult:
    """Evaluate one task, with `altered` also on faces whose colours or boxes are changed.

    `training_pictures` holds the fingerprints of training pictures, by the name of their data set.
    """
    data = task.data
    title = f"{data.name} {task.split}"
    predictions = collect_predictions(scorer, data, task.samples, title, altered)
    left_out = len(task.samples) - int((predictions.truth >= 0).sum())
    context = EvaluationContext(
        str(model),
        scorer.runtime,
        data.name,
        task.split,
        left_out,
        scorer.threshold,
        list(training_pictures),
    )
    fingerprints = [fingerprint for of_one in training_pictures.values() for fingerprint in of_one]
    is_copy = (
        repeats_training_picture(data, predictions.samples, fingerprints)
        if training_pictures
        else np.zeros(len(predictions.samples), np.bool_)
    )
    return _result(context, predictions, is_copy, chosen if task.split == Split.TEST else None)


def pool_results(results: Sequence[EvaluationResult]) -> EvaluationResult:
    """Return the evaluation of the faces of several data sets as one data set."""
    first = results[0].context
    splits = sorted({each.context.split for each in results})
    context = replace(
        first,
        data=POOLED_NAME,
        split=", ".join(splits),
        left_out=sum(each.context.left_out for each in results),
    )
    predictions = pool([each.predictions for each in results])
    is_copy = np.concatenate([each.is_copy for each in results])
    chosen = results[0].evaluation.chosen if splits == [Split.TEST] else None
    return _result(context, predictions, is_copy, chosen)


def _result(
    context: EvaluationContext,
    predictions: Predictions,
    is_copy: npt.NDArray[np.bool_],
    chosen: ChosenThreshold | None,
) -> EvaluationResult:
    without = None
    if context.without_copies_of:
        copies = int((is_copy & (predictions.truth >= 0)).sum())
        accuracy = accuracy_estimate(predictions.select(~is_copy))
        without = WithoutCopies(context.without_copies_of, copies, accuracy)
    return EvaluationResult(
        context, predictions, is_copy, evaluation_of(context, predictions, chosen, without)
    )
