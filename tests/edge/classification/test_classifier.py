"""The shipped model in the TFLite runtime of this machine, on faces of the demo clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.classification import classifier as module
from edge.classification.classifier import (
    Classifier,
    Scores,
    alert_labels,
    alert_threshold,
    load_classifier,
)
from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.config.settings import ClassifierSettings, DetectorSettings, EventSettings
from edge.detection.haar_detector import HaarDetector
from edge.inference import interpreter
from edge.inference.shipped_variant import shipped_variant
from tests.support.footage.demo_frames import demo_frame
from tests.support.models.mutations import without_digest
from tests.support.runtimes import INSTALLED_RUNTIMES

BARE_AT_S, MASKED_AT_S = (4.0, 5.0, 20.0), (12.5, 13.5, 24.0)
MASK3 = shipped_model().with_name("mask3.tflite")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(shipped_model())


@pytest.mark.parametrize(
    ("at_s", "label"),
    [(t, "no_mask") for t in BARE_AT_S] + [(t, "mask") for t in MASKED_AT_S],
)
def test_faces_of_the_demo_clip_get_the_right_label(
    classifier: Classifier, at_s: float, label: str
) -> None:
    frame = demo_frame(at_s)
    (face,) = HaarDetector(DetectorSettings()).find(frame)
    scores = classifier.classify(frame[:, :, ::-1], face.box_px)
    assert scores.label == label
    assert scores.score > 0.7
    assert sum(scores.by_label.values()) == pytest.approx(1.0, abs=0.02)


def test_order_of_colour_channels_changes_the_scores(classifier: Classifier) -> None:
    """If the scores were equal, the tests could not detect that BGR is passed instead of RGB."""
    frame = demo_frame(BARE_AT_S[0])
    (face,) = HaarDetector(DetectorSettings()).find(frame)
    rgb_scores = classifier.classify(frame[:, :, ::-1], face.box_px)
    bgr_scores = classifier.classify(frame, face.box_px)
    assert rgb_scores.by_label != bgr_scores.by_label


def test_same_pixels_give_the_same_scores(classifier: Classifier) -> None:
    crop = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    first = classifier.classify_crop(crop)
    classifier.classify_crop(255 - crop)
    assert classifier.classify_crop(crop) == first


def test_crop_of_any_size_is_scaled_to_the_input(classifier: Classifier) -> None:
    crop = np.full((96, 96, 3), 120, np.uint8)
    enlarged = np.full((300, 200, 3), 120, np.uint8)
    assert classifier.classify_crop(enlarged) == classifier.classify_crop(crop)


def test_label_has_the_highest_score() -> None:
    scores = Scores({"mask": 0.2, "no_mask": 0.7, "incorrect_mask": 0.1})
    assert (scores.label, scores.score) == ("no_mask", 0.7)


def test_configured_model_is_loaded() -> None:
    three = load_classifier(ClassifierSettings(model=str(MASK3)))
    assert three.card.labels == ["mask", "no_mask", "incorrect_mask"]


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_variant_of_the_shipped_model_is_that_of_the_runtime(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = np.full((96, 96, 3), 120, np.uint8)
    only = tuple(each for each in interpreter.RUNTIMES if each[0] == runtime)
    monkeypatch.setattr(interpreter, "RUNTIMES", only)
    found, int8 = load_classifier(ClassifierSettings()), Classifier(shipped_model())
    assert (found.runtime, found.path) == (runtime, shipped_model(shipped_variant(runtime)))
    assert found.card.alert == int8.card.alert
    scores = int8.classify_crop(crop).by_label
    assert found.classify_crop(crop).by_label == pytest.approx(scores, abs=0.05)


def test_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the model"):
        load_classifier(ClassifierSettings(model=str(tmp_path / "none.tflite")))


def test_model_without_a_digest_is_tried_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.tflite"
    path.write_bytes(without_digest(shipped_model().read_bytes()))
    crop = np.full((96, 96, 3), 120, np.uint8)
    new = Classifier(shipped_model()).classify_crop(crop)
    assert Classifier(path).classify_crop(crop) == new

    def refuse(*_: object) -> None:
        raise UserError("the trial")

    monkeypatch.setattr(module, "require_model_trial", refuse)
    with pytest.raises(UserError, match="the trial"):
        Classifier(path)
    Classifier(shipped_model())  # the digest makes the trial unnecessary


def test_configured_threshold_precedes_that_of_the_card(classifier: Classifier) -> None:
    card = classifier.card
    assert alert_threshold(EventSettings(), card) == card.alert.threshold
    assert alert_threshold(EventSettings(alert_threshold=0.3), card) == 0.3


def test_alert_labels_must_be_labels_of_the_model(classifier: Classifier) -> None:
    settings = EventSettings(alert_on=("no_mask", "incorrect_mask"))
    assert alert_labels(settings, Classifier(MASK3)) == settings.alert_on
    with pytest.raises(UserError, match="contains incorrect_mask, but the labels of the model are"):
        alert_labels(settings, classifier)
