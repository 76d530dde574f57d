"""A model's figures on a data set: a `.tflite` exactly as the Pi runs it, or a `.keras`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.card import ALERT_LABEL
from edge.errors import UserError
from training.crops import decoded, evaluated
from training.datasets import LABELS, DataSet, Sample, read_dataset
from training.metrics import Figures, Floats, alert_threshold, figures
from training.progress import watch
from training.scorers import Pairs, Scorer, load_scorer
from training.splits import Split

FALSE_ALARMS = 0.02


@dataclass(frozen=True)
class Alerts:
    """Shares of the masked and of the bare faces that reach `threshold`."""

    threshold: float
    masked_flagged: float
    bare_flagged: float


@dataclass(frozen=True)
class Evaluation:
    """`left_out`: faces of other labels than the model's, or too small to count."""

    model: str
    runtime: str
    data: str
    split: str
    left_out: int
    figures: Figures
    alerts: Alerts | None
    alerts_at_2_percent: Alerts | None


def evaluate(model: Path, root: Path, split: str | None, runtime: str | None) -> Evaluation:
    """Figures of `model` on the part `split` of `root`.

    `split` None: the test part where the data set has parts (folders of their own, or
    boxed scenes, parted by name), all pictures of plain class folders.
    """
    scorer = load_scorer(model, runtime)
    data = read_dataset(root, scorer.labels)
    chosen = split or ("all" if data.layout == "classes" else str(Split.TEST))
    samples = _chosen(data, chosen)
    counted = [sample for sample in samples if evaluated(sample)]
    if not counted:
        raise UserError(f"the {chosen} part of {root} has no face to evaluate")
    scores, truth = scored(scorer, data, counted)
    return Evaluation(
        str(model),
        scorer.runtime,
        data.name,
        chosen,
        _all_faces(root, chosen) - len(truth),
        figures(truth, scores.argmax(axis=1), scorer.labels),
        None if scorer.threshold is None else alerts(scores, truth, scorer),
        _alerts_at(scores, truth, scorer),
    )


def scored(scorer: Scorer, data: DataSet, samples: list[Sample]) -> tuple[Floats, Any]:
    """Shares (n, labels) and true label indices (n,) of all `samples` that can be decoded."""
    truth: list[int] = []

    def pairs() -> Pairs:
        for sample, image in decoded(data, samples, watch(data.name)):
            truth.append(scorer.labels.index(sample.label))
            yield sample, image

    scores = scorer.scores(pairs())
    return scores, np.array(truth, np.int64)


def alerts(scores: Floats, truth: Any, scorer: Scorer) -> Alerts:
    """What the model's own threshold flags."""
    assert scorer.threshold is not None
    return _flagged(scores, truth, scorer.labels, scorer.threshold)


def _alerts_at(scores: Floats, truth: Any, scorer: Scorer) -> Alerts | None:
    masked = scores[truth == scorer.labels.index("mask"), scorer.labels.index(ALERT_LABEL)]
    if not len(masked):
        return None
    threshold = alert_threshold([masked], FALSE_ALARMS)
    return _flagged(scores, truth, scorer.labels, threshold)


def _flagged(scores: Floats, truth: Any, labels: tuple[str, ...], threshold: float) -> Alerts:
    flagged = scores[:, labels.index(ALERT_LABEL)] >= threshold

    def share(label: str) -> float:
        of_label = flagged[truth == labels.index(label)]
        return float(of_label.mean()) if len(of_label) else 0.0

    return Alerts(threshold, share("mask"), share(ALERT_LABEL))


def _chosen(data: DataSet, split: str) -> list[Sample]:
    return list(data.samples) if split == "all" else data.part(Split(split))


def _all_faces(root: Path, split: str) -> int:
    return len(_chosen(read_dataset(root, LABELS[max(LABELS)]), split))


def as_text(found: Evaluation) -> Iterable[str]:
    """The evaluation as lines for a person."""
    total = found.figures
    yield f"{found.model} with {found.runtime} on {found.data} ({found.split})"
    yield f"accuracy   {total.accuracy:.4f} over {total.count} faces, {found.left_out} left out"
    yield f"{'':16}precision  recall      F1   faces"
    for label, each in total.by_label.items():
        line = f"{each.precision:.4f}  {each.recall:.4f}  {each.f1:.4f}  {each.count:6d}"
        yield f"{label:16}   {line}"
    width = max(len(label) for label in total.by_label)
    yield "confusion (rows true, columns said): " + ", ".join(total.by_label)
    for label, row in zip(total.by_label, total.confusion, strict=True):
        yield f"  {label:{width}}  " + "  ".join(f"{value:5d}" for value in row)
    for what, each_alert in (
        ("the model's threshold", found.alerts),
        ("2% of masked flagged", found.alerts_at_2_percent),
    ):
        if each_alert is not None:
            yield (
                f"alerts at {what} ({each_alert.threshold:.3f}): {each_alert.bare_flagged:.1%} of"
                f" bare faces, {each_alert.masked_flagged:.1%} of masked ones"
            )
