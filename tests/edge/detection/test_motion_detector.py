from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.detection.motion_detector import WHOLE_FRAME, MotionDetector, pixel_slices
from edge.detection.thumbnail import make_thumbnail
from tests.support.footage.grey_scenes import hall, photograph, with_person

FPS = 10.0


def thumbnail_of(picture: Pixels) -> Pixels:
    """The thumbnail of a grey (height, width) image."""
    return make_thumbnail(Frame(np.repeat(picture[:, :, None], 3, axis=2), 0.0, 0))


class StillHall:
    """A motion detector that has seen the same empty hall for ten seconds."""

    def __init__(self, noise: float = 4.0) -> None:
        self.detector = MotionDetector()
        self.rng = np.random.default_rng(1)
        self.at_s = 0.0
        self.moves(hall(), 0.0)
        self.detector.mark_searched(WHOLE_FRAME)
        for _ in range(100):
            self.moves(photograph(hall(), self.rng, noise), self.at_s)
            self.at_s += 1.0 / FPS

    def moves(self, picture: Pixels, at_s: float) -> bool:
        """Whether anything in `picture` has changed."""
        return bool(self.detector.update(thumbnail_of(picture), at_s).any())


@functools.cache
def _seen_for_ten_seconds(noise: float) -> StillHall:
    return StillHall(noise)


def still_hall(noise: float = 4.0) -> StillHall:
    """Return a copy of the hall, whose ten seconds are computed only once."""
    return copy.deepcopy(_seen_for_ten_seconds(noise))


def test_everything_is_changed_until_it_is_searched() -> None:
    detector = MotionDetector()
    for at_s in (0.0, 0.1):
        assert detector.update(thumbnail_of(hall()), at_s).all()
    detector.mark_searched(WHOLE_FRAME)
    assert not detector.update(thumbnail_of(hall()), 0.2).any()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 4.0, 10.0])
def test_noise_is_no_motion(noise: float) -> None:
    scene = still_hall(noise)
    moved = [
        scene.moves(photograph(hall(), scene.rng, noise), scene.at_s + n / FPS) for n in range(300)
    ]
    assert not any(moved)


@pytest.mark.slow
@given(x=st.integers(0, 297), y=st.integers(0, 217))
@settings(max_examples=60)
def test_smallest_face_is_motion_at_any_place(x: int, y: int) -> None:
    scene = still_hall()
    assert scene.moves(photograph(with_person(hall(), x, y), scene.rng), scene.at_s)


@pytest.mark.slow
def test_slow_change_of_light_is_no_motion() -> None:
    scene = still_hall()
    for n in range(600):  # within a minute, the light falls to a half and nearly doubles again
        light = 0.75 + 0.25 * np.cos(2 * np.pi * n / 600)
        picture = photograph(hall(), scene.rng, light=light)
        assert not scene.moves(picture, scene.at_s + n / FPS)
    assert scene.moves(photograph(with_person(hall(), 150), scene.rng), scene.at_s + 60.0)


def test_cloud_causes_little_motion() -> None:
    """The light falls by 40% within a second."""
    scene = still_hall()
    moved = [
        scene.moves(
            photograph(hall(), scene.rng, light=max(0.6, 1.0 - 0.05 * n)), scene.at_s + n / FPS
        )
        for n in range(100)
    ]
    assert sum(moved) <= 5


@pytest.mark.slow
def test_person_is_motion_until_searched() -> None:
    scene = still_hall()
    rng, at_s = scene.rng, scene.at_s
    occupied = with_person(hall(), 150)
    # `update` alone does not count as a search, and the person does not fade into the reference.
    assert all(scene.moves(photograph(occupied, rng), at_s + n / FPS) for n in range(300))
    scene.detector.mark_searched([(0.0, 0.0, 0.3, 1.0)])  # another part of the frame
    assert scene.moves(photograph(occupied, rng), at_s + 30.0)
    scene.detector.mark_searched([(0.4, 0.0, 0.3, 1.0)])
    still = [scene.moves(photograph(occupied, rng), at_s + 30.0 + n / FPS) for n in range(300)]
    assert not any(still)


def test_step_and_departure_are_motion() -> None:
    scene = still_hall()
    rng, at_s = scene.rng, scene.at_s
    scene.moves(photograph(with_person(hall(), 150), rng), at_s)
    scene.detector.mark_searched(WHOLE_FRAME)
    assert scene.moves(photograph(with_person(hall(), 156), rng), at_s + 0.1)
    scene.detector.mark_searched(WHOLE_FRAME)
    assert scene.moves(photograph(hall(), rng), at_s + 0.2)
    scene.detector.mark_searched(WHOLE_FRAME)
    assert not scene.moves(photograph(hall(), rng), at_s + 0.3)


def test_arrivals_are_motion_when_the_first_frame_was_occupied() -> None:
    """The reference must not keep the person of the first frame as part of the empty scene."""
    detector, rng = MotionDetector(), np.random.default_rng(4)
    occupied = with_person(hall(), 150)
    changes = []
    for n in range(200):
        scene = occupied if n % 20 < 10 else hall()
        changed = detector.update(thumbnail_of(photograph(scene, rng)), n / FPS)
        if n % 10 == 0:
            changes.append(bool(changed.any()))
        detector.mark_searched(WHOLE_FRAME)
    assert changes == [True] * 20


def test_return_to_the_earlier_picture_is_motion() -> None:
    """A person turns away and back, and no frame is searched in between."""
    scene = still_hall()
    rng, at_s = scene.rng, scene.at_s
    occupied = with_person(hall(), 150)
    scene.moves(photograph(occupied, rng), at_s)
    scene.detector.mark_searched(WHOLE_FRAME)
    assert not scene.moves(photograph(occupied, rng), at_s + 0.1)
    assert scene.moves(photograph(hall(), rng), at_s + 0.2)  # this frame is not searched
    assert scene.moves(photograph(occupied, rng), at_s + 0.3)
    scene.detector.mark_searched(WHOLE_FRAME)
    assert not scene.moves(photograph(occupied, rng), at_s + 0.4)


def test_motion_is_located() -> None:
    scene = still_hall()
    picture = photograph(with_person(hall(), 150), scene.rng)
    rows, columns = np.nonzero(scene.detector.update(thumbnail_of(picture), scene.at_s))
    assert rows.min() >= 60 / 4 - 3
    assert rows.max() <= 83 / 4 + 3
    assert columns.min() >= 150 / 4 - 3
    assert columns.max() <= 173 / 4 + 3


def test_another_thumbnail_size_starts_anew() -> None:
    scene = still_hall()
    assert scene.detector.update(np.zeros((30, 80), np.uint8), scene.at_s).all()
    scene.detector.mark_searched(WHOLE_FRAME)
    assert not scene.moves(np.zeros((120, 320), np.uint8), scene.at_s + 0.1)


def test_slices_cover_partly_touched_pixels() -> None:
    assert pixel_slices((0.05, 0.25, 0.5, 0.5), (8, 10)) == (slice(2, 6), slice(0, 6))
    assert pixel_slices((-1.0, -1.0, 3.0, 3.0), (8, 10)) == (slice(0, 16), slice(0, 20))
