"""Loaded models: their labels, thresholds and scores, and errors for files that are not models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.classification.classifier import Classifier
from edge.common.errors import UsageError, UserError
from tests.support.models.two_label_model import write_two_label_model
from tests.support.training import datasets
from training.data.datasets import Sample
from training.data.detector_simulation import box_of_annotation
from training.data.splits import Split
from training.evaluation.scorers import load_scorer

MODEL = datasets.ROOT / "models" / "mask.tflite"


def test_tflite_scores_are_those_of_the_daemon() -> None:
    scorer, classifier = load_scorer(MODEL, None), Classifier(MODEL)
    image = datasets.face("no_mask", np.random.default_rng(2), 200)
    box = (40.0, 30.0, 90.0, 110.0)
    whole = Sample(Path("a.png"), "no_mask", Split.TEST)
    boxed = Sample(Path("a.png"), "no_mask", Split.TEST, box)
    scores = scorer.scores([(whole, image), (boxed, image)])
    expected = [
        classifier.classify_crop(image).by_label,
        classifier.classify(image, box_of_annotation(box)).by_label,
    ]
    assert scorer.labels == tuple(classifier.card.labels)
    assert scorer.threshold == classifier.card.alert.threshold
    for row, by_label in zip(scores, expected, strict=True):
        assert row == pytest.approx([by_label[label] for label in scorer.labels])


def test_no_faces_give_no_scores() -> None:
    assert load_scorer(MODEL, None).scores([]).shape == (0, 3)


def test_answer_with_two_labels_has_its_own_threshold_and_scores() -> None:
    both, two = load_scorer(MODEL, None), load_scorer(MODEL, None, 2)
    image = datasets.face("no_mask", np.random.default_rng(2), 200)
    pairs = [(Sample(Path("a.png"), "no_mask", Split.TEST), image)]
    assert (len(both.labels), two.labels) == (3, ("mask", "no_mask"))
    assert two.threshold == Classifier(MODEL, two_labels=True).answer.alert.threshold
    assert two.threshold != both.threshold
    (whole,), (part,) = both.scores(pairs), two.scores(pairs)
    assert part == pytest.approx(whole[:2] / whole[:2].sum())


def test_answer_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    model = write_two_label_model(tmp_path / "own.tflite")
    assert load_scorer(model, None, 2).labels == ("mask", "no_mask")
    with pytest.raises(UsageError, match=r"--classes 3: the labels of .* are mask, no_mask"):
        load_scorer(model, None, 3)


def test_unknown_suffix_is_refused() -> None:
    with pytest.raises(UsageError, match=r"neither a \.keras nor a \.tflite"):
        load_scorer(Path("mask.onnx"), None)


def test_missing_keras_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.keras: the file does not exist"):
        load_scorer(tmp_path / "none.keras", None)
