"""Still images, with the shipped model and the real detector, on frames of the demo clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.classification.classifier import Classifier
from edge.classification.unsure import UnsureRule
from edge.common.arrays import Pixels
from edge.common.paths import shipped_model
from edge.config.settings import Settings, change
from edge.detection.haar_detector import HaarDetector
from edge.detection.still_images import (
    STILL_DEFAULTS,
    as_record,
    classify_whole_image,
    find_faces,
    still_detector_settings,
)
from tests.support.footage.demo_frames import demo_frame

RULE = UnsureRule(("no_mask",), 0.9)


@pytest.fixture(scope="module")
def bare_face_frame() -> Pixels:
    return demo_frame(5.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(shipped_model(), two_labels=True)


def test_default_settings_are_replaced_for_still_images() -> None:
    settings = still_detector_settings(Settings())
    assert {name: getattr(settings, name) for name in STILL_DEFAULTS} == STILL_DEFAULTS


def test_configured_settings_are_kept() -> None:
    configured = change(Settings(), detector={"width_px": 500, "scale_factor": 1.2})
    settings = still_detector_settings(configured)
    assert (settings.width_px, settings.scale_factor) == (500, 1.2)
    assert settings.min_neighbors == STILL_DEFAULTS["min_neighbors"]


def test_each_face_is_found_and_classified(bare_face_frame: Pixels, classifier: Classifier) -> None:
    detector = HaarDetector(still_detector_settings(Settings()))
    (face,) = find_faces(bare_face_frame, detector, classifier, RULE)
    assert face.label == "no_mask"
    assert all(isinstance(value, int) for value in face.box_px)
    (found,) = detector.find(bare_face_frame)
    assert face.box_px == tuple(round(value) for value in found.box_px)


def test_whole_image_is_one_face(bare_face_frame: Pixels, classifier: Classifier) -> None:
    crop = bare_face_frame[138:246, 248:356]
    face = classify_whole_image(crop, classifier, RULE)
    assert face.box_px == (0, 0, 108, 108)
    assert face.scores == classifier.classify_crop(crop[:, :, ::-1])


def test_record_has_the_size_and_rounded_scores(
    bare_face_frame: Pixels, classifier: Classifier
) -> None:
    face = classify_whole_image(bare_face_frame, classifier, RULE)
    record = as_record(Path("door.png"), bare_face_frame, [face])
    assert (record["image"], record["width"], record["height"]) == ("door.png", 640, 480)
    (entry,) = record["faces"]
    assert entry["box"] == [0, 0, 640, 480]
    assert entry["label"] == face.scores.label
    assert entry["score"] == entry["scores"][entry["label"]] == round(face.score, 4)


def test_unsure_face_has_no_other_label(bare_face_frame: Pixels, classifier: Classifier) -> None:
    rule = UnsureRule(("no_mask",), 1.1, {"mask": 1.1, "no_mask": 1.1})  # no score is sufficient
    face = classify_whole_image(bare_face_frame, classifier, rule)
    (entry,) = as_record(Path("door.png"), bare_face_frame, [face])["faces"]
    assert entry["label"] == "unsure"
    assert entry["score"] == max(entry["scores"].values())
    assert set(entry["scores"]) == {"mask", "no_mask"}
