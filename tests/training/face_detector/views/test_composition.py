"""Composed pictures: boxes stay on their faces through scaling, tilt, mosaics and pasting."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge.common.arrays import Box, Pixels
from edge.detection.boxes import Corners, areas, box_of, corners_of, iou_matrix
from edge.detection.point_grid import InputSize
from training.face_detector.views.composition import (
    GREY,
    Photograph,
    View,
    compose,
    frame,
    letterbox,
    warp,
)

NONE = corners_of([])
SIZE = InputSize(320, 240)


def _photograph(
    *boxes: Box, size_px: tuple[int, int] = (400, 300), channels: int = 1
) -> Photograph:
    """Return a dark photograph with a bright ellipse in each box."""
    pixels: Pixels = np.zeros((size_px[1], size_px[0]), np.uint8)
    for x, y, w, h in boxes:
        middle = (round(x + w / 2), round(y + h / 2))
        cv2.ellipse(pixels, middle, (round(w / 2), round(h / 2)), 0, 0, 360, (255,), -1)
    if channels == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    return Photograph(pixels, corners_of(boxes), NONE)


def _bright_box(pixels: Pixels) -> Corners:
    y, x = np.nonzero((pixels if pixels.ndim == 2 else pixels[:, :, 0]) > 127)
    return np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)


@pytest.mark.parametrize("degrees", [-45, 0, 20, 90])
@pytest.mark.parametrize("scale", [0.25, 0.7, 1.3])
def test_box_encloses_the_face_after_warping(degrees: float, scale: float) -> None:
    photograph = _photograph((150, 100, 80, 100))
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0]])
    matrix[:, 2] = (160, 120) - matrix[:, :2] @ (190, 150)
    view = warp(photograph, matrix, (320, 240), 0)
    assert iou_matrix(view.faces, _bright_box(view.pixels))[0, 0] > 0.9


def test_framed_face_has_its_box() -> None:
    photograph = _photograph((150, 100, 80, 100))
    checked = 0
    for seed in range(40):
        view = frame(photograph, (320, 240), np.random.default_rng(seed))
        bright = (view.pixels > 127).any()
        if len(view.faces) and bright and areas(view.faces)[0] > 400:
            ratio = areas(_bright_box(view.pixels))[0] / areas(view.faces)[0]
            if ratio < 1.3:  # the border of the picture may be bright as well
                checked += 1
                assert iou_matrix(view.faces, _bright_box(view.pixels))[0, 0] > 0.8
    assert checked >= 10


def test_framing_gives_small_and_large_faces() -> None:
    photograph = _photograph((150, 100, 80, 100))
    sides = []
    for seed in range(200):
        view = frame(photograph, (320, 240), np.random.default_rng(seed))
        sides += [float(np.sqrt(area)) for area in areas(view.faces)]
    assert min(sides) < 35
    assert max(sides) > 150


def test_face_mostly_outside_is_ignored_and_one_outside_dropped() -> None:
    photograph = _photograph((0, 0, 40, 40), (100, 100, 40, 40), (300, 200, 40, 40))
    moved = np.array([[1.0, 0, -30], [0, 1, 0]])
    view = warp(photograph, moved, (200, 150), 0)
    np.testing.assert_allclose(view.faces, corners_of([(70, 100, 40, 40)]))
    np.testing.assert_allclose(view.ignored, corners_of([(0, 0, 10, 40)]))


def test_ignored_regions_move_with_the_picture() -> None:
    photograph = Photograph(np.zeros((100, 100), np.uint8), NONE, corners_of([(10, 10, 20, 20)]))
    view = warp(photograph, np.array([[2.0, 0, 5], [0, 2, 5]]), (200, 200), 0)
    np.testing.assert_allclose(view.ignored, corners_of([(25, 25, 40, 40)]))


def _compose_many(photograph: Photograph, channels: int = 1) -> list[View]:
    size = InputSize(320, 240, channels)
    donor = _photograph((150, 100, 80, 100), channels=channels)
    return [
        compose(photograph, lambda _rng, _face: donor, size, np.random.default_rng(seed))
        for seed in range(60)
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_composed_boxes_lie_in_the_picture(channels: int) -> None:
    shape = (240, 320) if channels == 1 else (240, 320, 3)
    for view in _compose_many(_photograph((150, 100, 80, 100), channels=channels), channels):
        assert view.pixels.shape == shape
        for corners in (view.faces, view.ignored):
            assert (corners[:, :2] >= 0).all()
            assert (corners[:, 2:] <= (320, 240)).all()
            assert (areas(corners) > 0).all()


def test_faces_are_pasted_into_empty_rooms() -> None:
    views = _compose_many(_photograph(size_px=(320, 240)))
    with_face = [view for view in views if len(view.faces)]
    assert len(with_face) > 20
    for view in with_face:
        for face in view.faces[areas(view.faces) > 300]:
            x, y, w, h = (round(value) for value in box_of(face))
            middle = view.pixels[y + h // 3 : y + 2 * h // 3, x + w // 3 : x + 2 * w // 3]
            assert middle.mean() > 150


def test_same_generator_gives_same_picture() -> None:
    photograph = _photograph((150, 100, 80, 100))
    first, second = _compose_many(photograph), _compose_many(photograph)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.faces, b.faces)


def test_letterbox_centres_the_picture_between_grey_bars() -> None:
    pixels, matrix = letterbox(np.full((480, 320), 255, np.uint8), SIZE)
    assert pixels.shape == (240, 320)
    assert (pixels[:, :78] == GREY).all()
    assert (pixels[:, 82:238] == 255).all()
    np.testing.assert_allclose(matrix, [[0.5, 0, 80], [0, 0.5, 0]])
