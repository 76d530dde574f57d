from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import DetectorSettings
from edge.detection import haar_detector
from edge.detection.haar_detector import HaarDetector, default_cascade
from tests.support.footage.demo_frames import demo_frame_with_a_face


def test_frame_size_does_not_change_relative_face_position() -> None:
    image = demo_frame_with_a_face()
    detector = HaarDetector(DetectorSettings())
    (face,) = detector.find(image)
    doubled = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (larger,) = detector.find(np.asarray(doubled, np.uint8))
    assert np.array(larger.box_px) / 2 == pytest.approx(np.array(face.box_px), abs=6)
    assert detector.find(np.zeros_like(image)) == []


def test_partial_searches_return_boxes_of_the_whole_frame() -> None:
    image = demo_frame_with_a_face()
    detector = HaarDetector(DetectorSettings())
    luma = detector.to_luma(Frame(image, 0.0, 0))
    (face,) = detector.search(luma)
    x, y, w, h = face.box_px
    height, width = image.shape[:2]
    around = ((x - w / 2) / width, (y - h / 2) / height, 2 * w / width, 2 * h / height)
    elsewhere = (around[0] + around[2], around[1], 1.0 - around[0] - around[2], around[3])
    (in_region,) = detector.search_region(luma, around)
    assert in_region.box_px == pytest.approx(face.box_px, abs=8)
    assert detector.search_region(luma, elsewhere) == []
    (near,) = detector.search_near(luma, (x + 0.2 * w, y - 0.1 * h, w, h), 0.4)
    assert near.box_px == pytest.approx(face.box_px, abs=8)
    beside = (x + 1.2 * w, y, w, h)
    assert detector.search_near(luma, beside, 0.4) == []
    (far,) = detector.search_near(luma, beside, 1.5)
    assert far.box_px == pytest.approx(face.box_px, abs=8)
    assert detector.search_near(luma, (x, y, 2 * w, 2 * h), 0.4) == []  # the box is too large


def test_faces_below_the_minimum_size_are_not_found() -> None:
    image = demo_frame_with_a_face()
    assert HaarDetector(DetectorSettings(min_face=0.5)).find(image) == []


def test_tiny_image_has_no_faces() -> None:
    assert HaarDetector(DetectorSettings()).find(np.zeros((2, 2, 3), np.uint8)) == []


def test_missing_or_invalid_cascade_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the cascade file"):
        HaarDetector(DetectorSettings(cascade=str(tmp_path / "none.xml")))
    (tmp_path / "bad.xml").write_text("<?xml version='1.0'?><opencv_storage></opencv_storage>")
    with pytest.raises(UserError, match="not a Haar cascade"):
        HaarDetector(DetectorSettings(cascade=str(tmp_path / "bad.xml")))
    (tmp_path / "cut.xml").write_bytes(default_cascade().read_bytes()[:5000])
    with pytest.raises(UserError, match="not a Haar cascade"):
        HaarDetector(DetectorSettings(cascade=str(tmp_path / "cut.xml")))
    os.mkfifo(tmp_path / "pipe.xml")
    with pytest.raises(UserError, match="not a regular file"):
        HaarDetector(DetectorSettings(cascade=str(tmp_path / "pipe.xml")))


def test_default_cascade_is_checked_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV loads the changed file without an error."""
    content = default_cascade().read_bytes()
    path = tmp_path / "default.xml"
    path.write_bytes(content.replace(b"<_>", b"<_> ", 1))
    monkeypatch.setattr(haar_detector, "default_cascade", lambda: path)
    with pytest.raises(UserError, match=r"default\.xml is damaged: .*install opencv"):
        HaarDetector(DetectorSettings())
    # Only the default cascade must have the digest; another one is tried.
    monkeypatch.undo()
    assert HaarDetector(DetectorSettings(cascade=str(path))).name == "default.xml"


def test_cascade_with_the_digest_needs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haar_detector, "require_trial", None)
    HaarDetector(DetectorSettings())


def test_luma_plane_that_is_too_small_is_not_used() -> None:
    """A reload can configure a wider search than the camera was opened for."""
    detector = HaarDetector(DetectorSettings(width_px=500))
    image = np.full((720, 1280, 3), 90, np.uint8)
    for width, used in ((320, False), (498, True), (640, True)):
        plane = np.full((round(width * 9 / 16), width), 30, np.uint8)
        luma = detector.to_luma(Frame(image, 0.0, 0, plane))
        assert luma.pixels.mean() == (30 if used else 90)
        assert luma.pixels.shape[1] <= 500
        assert luma.scale == pytest.approx(luma.pixels.shape[1] / 1280)
