from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.detection.motion_detector import WHOLE, MotionDetector
from edge.detection.thumbnail import make_thumbnail

FPS = 10.0


class Gate:
    """The gate, shown whole pictures, of which the first is searched."""

    def __init__(self) -> None:
        self.gate = MotionDetector()
        self.look(hall(), 0.0)
        self.gate.searched(WHOLE)

    def look(self, picture: Pixels, at_s: float) -> bool:
        """Whether anything is new in `picture`."""
        return bool(self.gate.look(glanced(picture), at_s).any())


def glanced(picture: Pixels) -> Pixels:
    """The thumbnail of a grey (height, width) picture."""
    return make_thumbnail(Frame(np.repeat(picture[:, :, None], 3, axis=2), 0.0, 0))


def hall(seed: int = 0) -> Pixels:
    """A scene with contrast: blocks of different grey."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(30, 200, (6, 8)).astype(np.uint8)
    return np.kron(blocks, np.ones((40, 40), np.uint8)).astype(np.uint8)


def seen(scene: Pixels, rng: np.random.Generator, noise: float = 4.0, light: float = 1.0) -> Pixels:
    noisy = scene * light + rng.normal(0.0, noise, scene.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def with_somebody(scene: Pixels, x: int, y: int = 60, side: int = 23, level: int = 0) -> Pixels:
    """A head of the smallest size that is searched for (7% of the width), and shoulders."""
    peopled = scene.copy()
    there = scene[y : y + side, x : x + side]
    shade = level or np.where(there > 120, there - 60, there + 60)
    peopled[y : y + side, x : x + side] = shade
    return peopled


def settled(noise: float = 4.0) -> tuple[Gate, np.random.Generator, float]:
    gate, rng, at_s = Gate(), np.random.default_rng(1), 0.0
    for _ in range(100):
        gate.look(seen(hall(), rng, noise), at_s)
        at_s += 1.0 / FPS
    return gate, rng, at_s


def test_everything_is_new_until_it_is_searched() -> None:
    gate = MotionDetector()
    for at_s in (0.0, 0.1):
        assert gate.look(glanced(hall()), at_s).all()
    gate.searched(WHOLE)
    assert not gate.look(glanced(hall()), 0.2).any()


@pytest.mark.parametrize("noise", [0.0, 4.0, 10.0])
def test_a_still_hall_rests(noise: float) -> None:
    gate, rng, at_s = settled(noise)
    moved = [gate.look(seen(hall(), rng, noise), at_s + n / FPS) for n in range(300)]
    assert not any(moved)


@given(x=st.integers(0, 297), y=st.integers(0, 217))
@settings(max_examples=60, deadline=None)
def test_the_smallest_face_is_seen_at_once_wherever_it_is(x: int, y: int) -> None:
    gate, rng, at_s = settled()
    assert gate.look(seen(with_somebody(hall(), x, y), rng), at_s)


def test_light_that_changes_over_minutes_is_no_motion_and_hides_nobody() -> None:
    gate, rng, at_s = settled()
    for n in range(600):  # to a half, and to nearly twice of that, in a minute
        light = 0.75 + 0.25 * np.cos(2 * np.pi * n / 600)
        assert not gate.look(seen(hall(), rng, light=light), at_s + n / FPS)
    assert gate.look(seen(with_somebody(hall(), 150), rng), at_s + 60.0)


def test_a_cloud_that_dims_the_hall_within_a_second_is_hardly_motion() -> None:
    gate, rng, at_s = settled()
    moved = [
        gate.look(seen(hall(), rng, light=max(0.6, 1.0 - 0.05 * n)), at_s + n / FPS)
        for n in range(100)
    ]
    assert sum(moved) <= 5


def test_somebody_is_news_until_they_are_searched_for_and_when_they_move_or_go() -> None:
    gate, rng, at_s = settled()
    peopled = with_somebody(hall(), 150)
    # However long that takes: looking alone is no search, and nobody fades away meanwhile.
    assert all(gate.look(seen(peopled, rng), at_s + n / FPS) for n in range(300))
    gate.gate.searched([(0.0, 0.0, 0.3, 1.0)])  # somewhere else
    assert gate.look(seen(peopled, rng), at_s + 30.0)
    gate.gate.searched([(0.4, 0.0, 0.3, 1.0)])
    assert not any(gate.look(seen(peopled, rng), at_s + 30.0 + n / FPS) for n in range(300))
    assert gate.look(seen(with_somebody(hall(), 156), rng), at_s + 60.0)  # a step
    gate.look(seen(hall(), rng), at_s + 60.1)  # who leaves is news, once
    gate.gate.searched(WHOLE)
    assert not gate.look(seen(hall(), rng), at_s + 60.2)


def test_who_comes_to_the_place_of_one_who_stood_there_from_the_first_frame_on() -> None:
    """A picture with somebody in it must not pass for the empty scene."""
    gate, rng = MotionDetector(), np.random.default_rng(4)
    peopled = with_somebody(hall(), 150)
    for n in range(200):
        new = gate.look(glanced(seen(peopled if n % 20 < 10 else hall(), rng)), n / FPS)
        if n % 10 == 0:
            assert new.any()
        gate.searched(WHOLE)


def test_who_turns_away_and_back_is_news_though_the_picture_is_as_before() -> None:
    gate, rng, at_s = settled()
    peopled = with_somebody(hall(), 150)
    gate.look(seen(peopled, rng), at_s)
    gate.gate.searched(WHOLE)
    assert not gate.look(seen(peopled, rng), at_s + 0.1)
    assert gate.look(seen(hall(), rng), at_s + 0.2)  # and nobody searches
    assert gate.look(seen(peopled, rng), at_s + 0.3)
    gate.gate.searched(WHOLE)
    assert not gate.look(seen(peopled, rng), at_s + 0.4)


def test_what_is_new_is_told_by_its_place() -> None:
    gate, rng, at_s = settled()
    new = gate.gate.look(glanced(seen(with_somebody(hall(), 150), rng)), at_s)
    rows, columns = np.nonzero(new)
    assert rows.min() >= 60 / 4 - 3
    assert rows.max() <= 83 / 4 + 3
    assert columns.min() >= 150 / 4 - 3
    assert columns.max() <= 173 / 4 + 3


def test_another_size_of_picture_begins_anew() -> None:
    gate, _, at_s = settled()
    assert gate.gate.look(np.zeros((30, 80), np.uint8), at_s).all()
    gate.gate.searched(WHOLE)
    assert not gate.look(np.zeros((120, 320), np.uint8), at_s + 0.1)
