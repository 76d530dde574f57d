"""A model's figures on data sets: a `.tflite` exactly as the Pi runs it, or a `.keras`."""

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
#: What training pictures look like, by the name of their data set.
TrainingFingerprints = Mapping[str, list[Fingerprint]]


@dataclass(frozen=True)
class EvaluationTask:
    """A part of a data set: all `samples` of it, whatever their label and size."""

    data: DataSet
    split: str
    samples: list[Sample]


@dataclass(frozen=True)
class EvaluationResult:
    """An evaluation, with what it was made from; `copied` (n,): which answers are about
    faces that all but repeat one of `asked.without_copies_of`."""

    asked: EvaluationContext
    answers: Predictions
    copied: npt.NDArray[np.bool_]
    evaluation: Evaluation


def evaluate(model: Path, root: Path, split: str | None, runtime: str | None) -> Evaluation:
    """Figures of `model` on the part `split` of `root`.

    `split` None: the test part where the data set has parts (folders of their own, or
    boxed scenes, parted by name), all pictures of plain class folders.
    """
    scorer = load_scorer(model, runtime)
    return run_task(scorer, model, plan_task(scorer, root, split), None, {}).evaluation


def plan_task(scorer: Scorer, root: Path, split: str | None) -> EvaluationTask:
    """Raises UserError when there is no face to evaluate."""
    data = read_with_all_labels(root)
    chosen = split_for(data, split)
    samples = samples_in(data, chosen)
    if not any(is_evaluated(sample) and sample.label in scorer.labels for sample in samples):
        raise UserError(f"the {chosen} part of {root} has no face to evaluate")
    return EvaluationTask(data, chosen, samples)


def with_distinct_names(todos: Sequence[EvaluationTask]) -> list[EvaluationTask]:
    """Data sets of one name go by their paths."""
    names = Counter(todo.data.name for todo in todos)
    return [
        todo
        if names[todo.data.name] == 1
        else replace(todo, data=replace(todo.data, name=str(todo.data.root)))
        for todo in todos
    ]


def choose_on_validation(
    scorer: Scorer, todos: Sequence[EvaluationTask], false_alarms: float
) -> ChosenThreshold | None:
    """The lowest threshold that `false_alarms` of the masked faces in the validation parts reach.

    Looks at the data sets of which the test part is evaluated; None when there is none, or
    they hold no masked face.
    """
    scores = {}
    for data in (todo.data for todo in todos if todo.split == Split.TEST):
        samples = [s for s in data.part(Split.VALIDATION) if s.label == MASKED]
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
    todo: EvaluationTask,
    chosen: ChosenThreshold | None,
    among: TrainingFingerprints,
) -> EvaluationResult:
    """All figures on one part; `among`: looks of training pictures, by their data set."""
    data = todo.data
    answers = collect_predictions(scorer, data, todo.samples, f"{data.name} {todo.split}")
    left_out = len(todo.samples) - int((answers.truth >= 0).sum())
    asked = EvaluationContext(
        str(model), scorer.runtime, data.name, todo.split, left_out, scorer.threshold, list(among)
    )
    looks = [look for of_one in among.values() for look in of_one]
    copied = (
        repeats_training_picture(data, answers.samples, looks)
        if among
        else np.zeros(len(looks), np.bool_)
    )
    return _result(asked, answers, copied, chosen if todo.split == Split.TEST else None)


def pool_results(outcomes: Sequence[EvaluationResult]) -> EvaluationResult:
    """The faces of several data sets as if they were one."""
    first = outcomes[0].asked
    splits = sorted({each.asked.split for each in outcomes})
    asked = replace(
        first,
        data=POOLED_NAME,
        split=", ".join(splits),
        left_out=sum(each.asked.left_out for each in outcomes),
    )
    answers = pool([each.answers for each in outcomes])
    copied = np.concatenate([each.copied for each in outcomes])
    chosen = outcomes[0].evaluation.chosen if splits == [Split.TEST] else None
    return _result(asked, answers, copied, chosen)


def _result(
    asked: EvaluationContext,
    answers: Predictions,
    copied: npt.NDArray[np.bool_],
    chosen: ChosenThreshold | None,
) -> EvaluationResult:
    without = None
    if asked.without_copies_of:
        copies = int((copied & (answers.truth >= 0)).sum())
        accuracy = accuracy_estimate(answers.only(~copied))
        without = WithoutCopies(asked.without_copies_of, copies, accuracy)
    return EvaluationResult(asked, answers, copied, evaluation_of(asked, answers, chosen, without))
