"""The shipped model in the TFLite runtime of this machine, on faces of the demo clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.classification import classifier as module
from edge.classification.answer import Answer
from edge.classification.classifier import (
    Classifier,
    Scores,
    alert_labels,
    alert_threshold,
    load_classifier,
)
from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.config.settings import DetectorSettings, EventSettings, Settings, change
from edge.detection.haar_detector import HaarDetector
from edge.inference import interpreter
from edge.inference.shipped_variant import shipped_variant
from tests.support.footage.demo_frames import demo_frame
from tests.support.models.mutations import without_digest
from tests.support.models.two_label_model import write_two_label_model
from tests.support.runtimes import INSTALLED_RUNTIMES

BARE_AT_S, MASKED_AT_S = (4.0, 5.0, 20.0), (12.5, 13.5, 24.0)
CROP = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
BOTH = {"alert_on": ["no_mask", "incorrect_mask"]}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(shipped_model())


@pytest.mark.parametrize(
    ("at_s", "label"),
    [(t, "no_mask") for t in BARE_AT_S] + [(t, "mask") for t in MASKED_AT_S],
)
def test_faces_of_the_demo_clip_get_the_right_label(at_s: float, label: str) -> None:
    frame = demo_frame(at_s)
    (face,) = HaarDetector(DetectorSettings()).find(frame)
    scores = Classifier(shipped_model(), two_labels=True).classify(frame[:, :, ::-1], face.box_px)
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
    first = classifier.classify_crop(CROP)
    classifier.classify_crop(255 - CROP)
    assert classifier.classify_crop(CROP) == first


def test_crop_of_any_size_is_scaled_to_the_input(classifier: Classifier) -> None:
    crop = np.full((96, 96, 3), 120, np.uint8)
    enlarged = np.full((300, 200, 3), 120, np.uint8)
    assert classifier.classify_crop(enlarged) == classifier.classify_crop(crop)


def test_label_has_the_highest_score() -> None:
    scores = Scores({"mask": 0.2, "no_mask": 0.7, "incorrect_mask": 0.1})
    assert (scores.label, scores.score) == ("no_mask", 0.7)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 2),
        ({"events": BOTH}, 3),
        ({"classifier": {"classes": 3}}, 3),
        ({"classifier": {"classes": 3}, "events": BOTH}, 3),
        ({"classifier": {"classes": 2, "model": str(shipped_model())}}, 2),
    ],
)
def test_number_of_labels_follows_from_the_settings(changes: dict[str, Any], number: int) -> None:
    found = load_classifier(change(Settings(), **changes))
    assert found.answer.labels == ("mask", "no_mask", "incorrect_mask")[:number]
    assert tuple(found.classify_crop(CROP).by_label) == found.answer.labels


@pytest.mark.parametrize("number", [2, 3])
def test_model_of_two_labels_is_used_unless_three_are_wanted(tmp_path: Path, number: int) -> None:
    model = write_two_label_model(tmp_path / "own.tflite")
    settings = change(Settings(), classifier={"model": str(model)})
    own = load_classifier(settings)
    assert own.answer == Answer(("mask", "no_mask"), own.card.alert, None)
    assert own.classify_crop(np.full((16, 16, 3), 200, np.uint8)).label == "no_mask"
    wanted = change(settings, classifier={"classes": number})
    if number == 2:
        assert load_classifier(wanted).answer == own.answer
    else:
        with pytest.raises(UserError, match=r"`classifier\.classes` is 3, but .*: remove this"):
            load_classifier(wanted)


def test_answer_with_two_labels_divides_the_scores_by_their_sum(classifier: Classifier) -> None:
    two = Classifier(shipped_model(), two_labels=True)
    whole, part = (each.classify_crop(CROP).by_label for each in (classifier, two))
    total = whole["mask"] + whole["no_mask"]
    assert part == pytest.approx({label: whole[label] / total for label in ("mask", "no_mask")})


@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_variant_of_the_shipped_model_is_that_of_the_runtime(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = np.full((96, 96, 3), 120, np.uint8)
    only = tuple(each for each in interpreter.RUNTIMES if each[0] == runtime)
    monkeypatch.setattr(interpreter, "RUNTIMES", only)
    found, int8 = load_classifier(Settings()), Classifier(shipped_model(), two_labels=True)
    assert (found.runtime, found.path) == (runtime, shipped_model(shipped_variant(runtime)))
    assert found.answer == int8.answer
    scores = int8.classify_crop(crop).by_label
    assert found.classify_crop(crop).by_label == pytest.approx(scores, abs=0.05)


def test_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the model"):
        load_classifier(change(Settings(), classifier={"model": str(tmp_path / "none.tflite")}))


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
    answer = classifier.answer
    assert alert_threshold(EventSettings(), answer) == classifier.card.alert.threshold
    assert alert_threshold(EventSettings(alert_threshold=0.3), answer) == 0.3


def test_alert_labels_must_be_labels_of_the_answer(classifier: Classifier, tmp_path: Path) -> None:
    settings = EventSettings(alert_on=("no_mask", "incorrect_mask"))
    assert alert_labels(settings, classifier) == settings.alert_on
    with pytest.raises(UserError, match="contains incorrect_mask, but the labels of the model are"):
        alert_labels(settings, Classifier(write_two_label_model(tmp_path / "own.tflite")))
