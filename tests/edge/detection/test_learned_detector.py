"""The network as a face detector, on frames of the demo clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.common.paths import shipped_detector
from edge.config.settings import DetectorSettings
from edge.detection.boxes import corners_of, iou_matrix
from edge.detection.face_detector import Face
from edge.detection.haar_detector import HaarDetector
from edge.detection.learned_detector import LearnedDetector
from tests.support.footage.demo_frames import demo_frame_with_a_face


@pytest.fixture(scope="module")
def image() -> Pixels:
    return demo_frame_with_a_face()


def detector(**settings: float) -> LearnedDetector:
    return LearnedDetector(shipped_detector(), DetectorSettings(**settings))  # type: ignore[arg-type]


def overlap(a: Face, b: Face) -> float:
    return float(iou_matrix(corners_of([a.box_px]), corners_of([b.box_px]))[0, 0])


def test_box_is_like_that_of_the_cascade(image: Pixels) -> None:
    (expected,) = HaarDetector(DetectorSettings()).find(image)
    (found,) = detector().find(image)
    assert overlap(found, expected) > 0.6
    assert found.box_px[2] == pytest.approx(found.box_px[3])
    assert detector().find(np.zeros_like(image)) == []


def test_narrow_faces_are_left_out(image: Pixels) -> None:
    (face,) = detector().find(image)
    share = face.box_px[2] / image.shape[1]
    assert detector(min_face=1.05 * share).find(image) == []
    assert len(detector(min_face=0.95 * share).find(image)) == 1


def test_lower_score_finds_at_least_as_much(image: Pixels) -> None:
    sure, all_ = detector(min_score=0.8).find(image), detector(min_score=0.05).find(image)
    assert len(sure) <= len(all_)
    assert detector(min_score=0.999).find(image) == []


@pytest.mark.parametrize("degrees", [-35, 35])
def test_tilted_face_is_found_where_the_cascade_fails(image: Pixels, degrees: int) -> None:
    (face,) = detector().find(image)
    x, y, w, h = face.box_px
    centre = (x + w / 2, y + h / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    size = (image.shape[1], image.shape[0])
    tilted = np.asarray(
        cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    assert any(overlap(found, face) > 0.4 for found in detector().find(tilted))
    assert not any(
        overlap(found, face) > 0.4 for found in HaarDetector(DetectorSettings()).find(tilted)
    )


def test_small_face_in_a_large_picture_is_found_in_a_part(image: Pixels) -> None:
    small = np.asarray(cv2.resize(image, (240, 180), interpolation=cv2.INTER_AREA), np.uint8)
    large = np.full((960, 1280, 3), 114, np.uint8)
    large[700:880, 900:1140] = small
    wide = detector(width_px=1280, min_face=0.01)
    (face,) = wide.find(large)
    x, y, w, _ = face.box_px
    assert 900 < x < x + w < 1140
    assert 700 < y < y + w < 880


def test_luma_plane_of_the_camera_is_searched(image: Pixels) -> None:
    plane = np.asarray(cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (320, 240)), np.uint8)
    found = detector()
    luma = found.to_luma(Frame(image, 0.0, 0, plane))
    assert luma.pixels is plane
    (face,) = found.search(luma)
    (same,) = found.find(image)
    assert overlap(face, same) > 0.8


def test_portrait_picture_is_searched_whole_and_in_parts(image: Pixels) -> None:
    portrait = np.full((640, 480, 3), 114, np.uint8)
    portrait[280:640] = cv2.resize(image, (480, 360))
    (face,) = detector().find(portrait)
    assert face.box_px[1] > 280
