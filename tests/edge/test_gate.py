from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.framing import Pixels
from edge.gate import MotionGate

SIZE_PX = (240, 320)
FPS = 10.0


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


def settled(noise: float = 4.0) -> tuple[MotionGate, np.random.Generator, float]:
    gate, rng, at_s = MotionGate(), np.random.default_rng(1), 0.0
    for _ in range(100):
        gate.look(seen(hall(), rng, noise), at_s)
        at_s += 1.0 / FPS
    return gate, rng, at_s


def test_the_first_frame_counts_as_moving() -> None:
    assert MotionGate().look(hall(), 0.0)


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


def test_somebody_who_stands_still_is_seen_for_long_and_when_they_go() -> None:
    gate, rng, at_s = settled()
    peopled = with_somebody(hall(), 150)
    moved = [gate.look(seen(peopled, rng), at_s + n / FPS) for n in range(600)]
    assert all(moved[:100])  # ten seconds
    assert not any(moved[-50:])  # after a minute they belong to the scene
    assert gate.look(seen(with_somebody(hall(), 156), rng), at_s + 60.0)  # until they move
    assert gate.look(seen(hall(), rng), at_s + 60.1)  # or leave


def test_motion_beside_who_is_known() -> None:
    gate, rng, at_s = settled()
    gate.look(seen(with_somebody(hall(), 150), rng), at_s)
    around = (140 / 320, 50 / 240, 45 / 320, 45 / 240)
    assert not gate.moved_outside([around])
    assert gate.moved_outside([])
    assert gate.moved_outside([(0.0, 0.0, 0.2, 0.2)])
    gate.look(seen(with_somebody(with_somebody(hall(), 150), 20), rng), at_s + 0.1)
    assert gate.moved_outside([around])


def test_another_size_of_picture_begins_anew() -> None:
    gate, _, at_s = settled()
    assert gate.look(np.zeros((120, 320), np.uint8), at_s)
    assert not gate.look(np.zeros((120, 320), np.uint8), at_s + 0.1)
