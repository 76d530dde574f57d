from __future__ import annotations

import timeit

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.video.recordings import VideoFile
from edge.classification.face_crop import crop_face
from edge.common.arrays import Box, Pixels
from edge.common.paths import demo_clip
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face
from edge.detection.haar_detector import HaarDetector
from edge.tracking.face_quality import Quality, measure_quality

MARGIN, INPUT = 0.12, (96, 96)
#: The number of raw detections that are merged into a box which certainly contains a face.
HIGH_SUPPORT = 27
GOOD = Quality(1.0, 0.0, 0.0, 130.0, 40.0, 0.0, 1.0, HIGH_SUPPORT)


@pytest.fixture(scope="module")
def frame() -> Pixels:
    """A frame of the demo clip in which its first person stands before the camera, as RGB."""
    source = VideoFile(demo_clip())
    for _ in range(80):
        found = source.read()
    source.close()
    assert found is not None
    return found.image_bgr[:, :, ::-1]


FACE_BOX: Box = (248.0, 138.0, 108.0, 108.0)


def quality(image: Pixels, box: Box = FACE_BOX, support: int = HIGH_SUPPORT) -> Quality:
    crop = crop_face(image, box, MARGIN, INPUT)
    height, width = image.shape[:2]
    return measure_quality(Face(box, support), crop, (height, width))


def weight(image: Pixels, box: Box = FACE_BOX, support: int = HIGH_SUPPORT) -> float:
    return quality(image, box, support).weight


def scaled(image: Pixels, factor: float) -> Pixels:
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def test_clearly_visible_face_has_full_weight(frame: Pixels) -> None:
    assert weight(frame) == 1.0


def test_worst_measure_decides_the_weight() -> None:
    assert GOOD.weight == 1.0
    for worse in (
        {"width_share": 0.1},
        {"cut_off_below": 0.4},
        {"cut_off_beside": 0.6},
        {"luma": 2.0},
        {"contrast": 0.02},
        {"white": 0.9},
        {"sharpness": 0.01},
    ):
        assert Quality(**{**GOOD.__dict__, **worse}).weight == 0.0


def test_small_faces_lose_weight(frame: Pixels) -> None:
    by_width = []
    for width in (12, 20, 40):
        factor = width / FACE_BOX[2]
        small = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        box = tuple(factor * value for value in FACE_BOX)
        by_width.append(weight(np.asarray(small, np.uint8), box))  # type: ignore[arg-type]
    assert by_width[0] == 0.0 < by_width[1] < by_width[2] == 1.0


def test_blurred_faces_lose_weight(frame: Pixels) -> None:
    weights = [
        weight(np.asarray(cv2.GaussianBlur(frame, (0, 0), share * FACE_BOX[2]), np.uint8))
        for share in (0.02, 0.09, 0.2)
    ]
    assert weights[0] == 1.0 > weights[1] > weights[2]
    assert weights[2] < 0.2


def test_dark_and_overexposed_faces_lose_weight(frame: Pixels) -> None:
    assert weight(scaled(frame, 0.01)) == 0.0
    assert 0.0 < weight(scaled(frame, 0.05)) < 1.0
    assert weight(scaled(frame, 0.12)) == 1.0
    assert weight(scaled(frame, 12.0)) < 0.2


def test_fog_loses_weight(frame: Pixels) -> None:
    weights = [weight(np.uint8(128) + scaled(frame, factor)) for factor in (0.02, 0.1, 0.4)]
    assert weights[0] == 0.0 < weights[1] < weights[2] == 1.0


def test_faces_cut_off_by_the_frame_lose_weight(frame: Pixels) -> None:
    x, y, w, h = (round(value) for value in FACE_BOX)
    assert weight(frame[: y + h - h // 20], FACE_BOX) == 1.0
    assert 0.0 < weight(frame[: y + h - h // 5], FACE_BOX) < 1.0
    assert weight(frame[: y + h - h // 3], FACE_BOX) == 0.0
    # More of the face can be cut off at a side than at the bottom: the mouth is in the middle.
    assert weight(frame[:, x + w // 5 :], (-float(w // 5), FACE_BOX[1], w, h)) == 1.0
    assert weight(frame[:, : x + w // 2 - 1], FACE_BOX) == 0.0


def test_low_support_halves_the_weight(frame: Pixels) -> None:
    assert weight(frame, support=4) == pytest.approx(0.5)
    assert weight(frame, support=9) == 1.0


@given(st.integers(0, 255))
def test_flat_crop_has_no_weight(value: int) -> None:
    flat = np.full((96, 96, 3), value, np.uint8)
    assert (
        measure_quality(Face((10.0, 10.0, 96.0, 96.0), HIGH_SUPPORT), flat, (480, 640)).weight
        == 0.0
    )


def test_measuring_costs_far_less_than_detection(frame: Pixels) -> None:
    crop = crop_face(frame, FACE_BOX, MARGIN, INPUT)
    face, detector = Face(FACE_BOX, HIGH_SUPPORT), HaarDetector(DetectorSettings())
    image_bgr = np.ascontiguousarray(frame[:, :, ::-1])
    measuring_s = min(
        timeit.repeat(lambda: measure_quality(face, crop, (480, 640)), number=1, repeat=200)
    )
    detecting_s = min(timeit.repeat(lambda: detector.find(image_bgr), number=1, repeat=10))
    assert measuring_s < detecting_s / 10
