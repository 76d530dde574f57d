"""Scores of a loaded model: a `.tflite` model exactly as the Pi runs it, or a `.keras` model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classification.answer import scores_among
from edge.classification.classifier import Classifier
from edge.classification.model_card import TWO_LABELS
from edge.common.arrays import Pixels
from edge.common.errors import UsageError, UserError
from edge.inference.model_file import digest
from training.common.metrics import Floats
from training.common.quiet_keras import import_keras, load_model_file
from training.data.crops import detector_box, evaluation_crop
from training.data.datasets import LABELS, Sample
from training.network.model import SIZE_PX
from training.network.model_report import Report, read_report, report_path

#: Faces in one batch of a Keras model, which is slow for single faces.
KERAS_BATCH = 128
LabelledImages = Iterable[tuple[Sample, Pixels]]


@dataclass(frozen=True)
class Scorer:
    """A loaded model: `scores` returns (n, labels) probabilities. `threshold`: None if unknown.

    `labels` and `threshold` are those of its answer (`edge.classification.answer`). `trained_on`:
    the names of its training data, from its model card or report.
    """

    labels: tuple[str, ...]
    runtime: str
    threshold: float | None
    scores: Callable[[LabelledImages], Floats]
    trained_on: tuple[str, ...] = ()


def load_scorer(model: Path, runtime: str | None, classes: int | None = None) -> Scorer:
    """Load the file `model`, whose suffix gives its type; raises UserError if it cannot be used.

    `classes` is the number of labels that it answers with, by default all that it has; raises
    UsageError if it has fewer.
    """
    scorer = _load(model, runtime, two_labels=classes == len(TWO_LABELS))
    if classes is not None and len(scorer.labels) < classes:
        raise UsageError(
            f"--classes {classes}: the labels of {model} are {', '.join(scorer.labels)}"
        )
    return scorer


def _load(model: Path, runtime: str | None, two_labels: bool) -> Scorer:
    if model.suffix == ".tflite":
        return _tflite_scorer(model, runtime, two_labels)
    if model.suffix != ".keras":
        raise UsageError(f"{model} is neither a .keras nor a .tflite file")
    if not model.is_file():
        raise UserError(f"cannot read the model {model}: the file does not exist")
    return _keras_scorer(model, two_labels)


def _tflite_scorer(model: Path, runtime: str | None, two_labels: bool) -> Scorer:
    classifier = Classifier(model, runtime=runtime, two_labels=two_labels)
    labels = classifier.answer.labels

    def scores(pairs: LabelledImages) -> Floats:
        rows = []
        for sample, image in pairs:
            box = detector_box(sample)
            if box is None:
                found = classifier.classify_crop(image)
            else:
                found = classifier.classify(image, box)
            rows.append([found.by_label[label] for label in labels])
        return np.array(rows, np.float32).reshape(-1, len(labels))

    names = tuple(each.name for each in classifier.card.training_data)
    return Scorer(labels, classifier.runtime, classifier.answer.alert.threshold, scores, names)


def _keras_scorer(model: Path, two_labels: bool) -> Scorer:
    network = load_model_file(model)
    outputs = LABELS.get(network.output_shape[-1])
    if outputs is None or network.input_shape[1:] != (SIZE_PX, SIZE_PX, 3):
        raise UserError(f"{model} was not made by `python -m training train`")
    labels = TWO_LABELS if two_labels else outputs

    def scores(pairs: LabelledImages) -> Floats:
        crops = (evaluation_crop(sample, image) for sample, image in pairs)
        rows: list[Floats] = [np.zeros((0, len(outputs)), np.float32)]
        while batch := [crop for crop in itertools.islice(crops, KERAS_BATCH) if crop is not None]:
            pixels = np.stack(batch).astype(np.float32)
            rows.append(np.asarray(network(pixels, training=False), np.float32))
        return scores_among(np.concatenate(rows), outputs, labels)

    report = _report_beside(model)
    return Scorer(
        labels,
        f"keras {import_keras().__version__}",
        None if report is None else _threshold(report, labels),
        scores,
        () if report is None else tuple(each.name for each in report.training_data),
    )


def _threshold(report: Report, labels: tuple[str, ...]) -> float:
    if report.two_labels is not None and labels != tuple(report.labels):
        return report.two_labels.alert.threshold
    return report.threshold


def _report_beside(model: Path) -> Report | None:
    """Return the report beside a Keras model, or None if there is none or it belongs to another
    model.
    """
    path = report_path(model)
    if not path.is_file():
        return None
    report = read_report(path)
    return report if report.keras_sha256 == digest(model.read_bytes()) else None
