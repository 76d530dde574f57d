"""Readings of photographs: which boxes are faces, and the figures of all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classification.classifier import Classifier
from edge.classification.unsure import UnsureRule, unsure_rule
from edge.common.arrays import Box, Pixels
from edge.common.paths import shipped_model
from edge.config.settings import Settings
from edge.detection.boxes import corners_of
from edge.detection.face_detector import Face
from edge.detection.point_grid import Detections
from tests.support.footage.pictures import frames_without_mask
from training.data.splits import Split
from training.face_detector.evaluation.detector_evaluation import evaluation_pictures
from training.face_detector.evaluation.photograph_alerts import (
    PhotographReadings,
    alert_figures,
    read_photographs,
)
from training.face_detector.evaluation.search_detectors import load_detector
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind, LabelledBox

WALL: Box = (10.0, 10.0, 60.0, 60.0)
REGION: Box = (400.0, 300.0, 100.0, 100.0)


class FixedDetector:
    """Returns the same boxes for any picture, and nothing else."""

    name = "fixed"

    def __init__(self, *boxes: Box) -> None:
        self._boxes = boxes

    def find(self, image_bgr: Pixels) -> list[Face]:
        return [Face(box, 9.0) for box in self._boxes]


class OtherDetector(FixedDetector):
    def find(self, image_bgr: Pixels) -> Detections:  # type: ignore[override]
        return Detections(corners_of(self._boxes), np.full(len(self._boxes), 0.9, np.float32))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Box]:
    """The picture of a bare face, and the face's box."""
    frame = frames_without_mask()[0]
    path = tmp_path_factory.mktemp("photographs") / "bare.png"
    assert cv2.imwrite(str(path), frame)
    left, top, right, bottom = load_detector("haar").find(frame).corners[0].tolist()
    return path, (left, top, right - left, bottom - top)


def _read(
    bare: tuple[Path, Box],
    *found: Box,
    label: str = "no_mask",
    other: OtherDetector | None = None,
    rule: UnsureRule | None = None,
) -> PhotographReadings:
    path, face = bare
    boxes = (LabelledBox(face, BoxKind.FACE, label), LabelledBox(REGION, BoxKind.IGNORE))
    picture = BoxedPicture(path, None, boxes, "made up", Split.TEST)
    classifier = Classifier(shipped_model(), two_labels=True)
    (readings,) = read_photographs(
        evaluation_pictures([picture], 40.0),
        FixedDetector(*found),  # type: ignore[arg-type]
        classifier,
        rule or unsure_rule(Settings().events, classifier.answer),
        other,
    )
    return readings


def test_found_bare_face_alerts(bare: tuple[Path, Box]) -> None:
    readings = _read(bare, WALL, bare[1])
    (face,) = readings.faces
    assert face is not None
    assert face.alerts
    assert face.box_px == bare[1]
    assert [each.box_px for each in readings.false] == [WALL]
    assert readings.false[0].surroundings.shape == (120, 120, 3)


def test_missed_face_has_no_reading(bare: tuple[Path, Box]) -> None:
    readings = _read(bare)
    assert (readings.faces, readings.false) == ((None,), ())


def test_boxes_on_ignored_regions_are_left_out(bare: tuple[Path, Box]) -> None:
    assert _read(bare, REGION).false == ()


def test_faces_that_another_detector_finds_are_left_out(bare: tuple[Path, Box]) -> None:
    assert _read(bare, WALL, other=OtherDetector(WALL)).false == ()
    assert len(_read(bare, WALL, other=OtherDetector(bare[1])).false) == 1


def test_figures_of_groups(bare: tuple[Path, Box]) -> None:
    readings = [_read(bare, bare[1], WALL), _read(bare), _read(bare, bare[1], label="mask")]
    figures = alert_figures(readings)
    assert figures.pictures == 3
    found, alerts = figures.found["bare"], figures.alerts["bare"]
    assert found is not None
    assert alerts is not None
    assert (found.value, found.count) == (0.5, 2)
    assert (alerts.value, alerts.count) == (1.0, 1)
    masked = figures.alerts["masked"]
    assert masked is not None
    assert masked.value == 1.0  # the label is wrong on purpose: the face is bare
    assert figures.found["mask worn incorrectly"] is None
    assert figures.false_boxes == pytest.approx(100 / 3)


def test_unsure_faces_and_boxes_are_counted(bare: tuple[Path, Box]) -> None:
    nothing_is_sure = UnsureRule(("no_mask",), 1.1, {"mask": 1.1, "no_mask": 1.1})
    readings = [_read(bare, bare[1], WALL, rule=nothing_is_sure), _read(bare, bare[1], WALL)]
    figures = alert_figures(readings)
    alerts, unsure = figures.alerts["bare"], figures.unsure["bare"]
    assert alerts is not None
    assert unsure is not None
    assert (alerts.value, unsure.value, unsure.count) == (0.5, 0.5, 2)
    assert figures.false_unsure >= 50.0


def test_figures_without_faces(bare: tuple[Path, Box]) -> None:
    path, _ = bare
    picture = BoxedPicture(path, None, (), "made up", Split.TEST)
    classifier = Classifier(shipped_model(), two_labels=True)
    detector = FixedDetector(WALL)
    readings = read_photographs(
        evaluation_pictures([picture], 40.0),
        detector,  # type: ignore[arg-type]
        classifier,
        UnsureRule(("no_mask",), 0.0),
    )
    figures = alert_figures(readings)
    assert set(figures.found.values()) == {None}
    assert (figures.false_boxes, figures.false_alerts) == (100.0, 100.0)
