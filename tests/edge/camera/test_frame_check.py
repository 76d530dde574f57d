from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.frame_check import FrameCheck, Verdict, is_dark
from edge.camera.source import is_picture
from edge.common.arrays import Pixels
from tests.support.pictures import flat

CHANCE = np.random.default_rng(7)


def noise(mean: float, spread: float, height: int = 120, width: int = 160) -> Pixels:
    levels = CHANCE.normal(mean, spread, (height, width, 3))
    return np.clip(levels, 0, 255).astype(np.uint8)


def night_with_a_lamp() -> Pixels:
    """A hall at 480x640 that is black but for an exit sign of 60x30 pixels."""
    picture = noise(6, 3, 480, 640)
    picture[40:70, 300:360] = 210
    return picture


@pytest.mark.parametrize(
    ("picture", "dark"),
    [
        (flat(0), True),
        (flat(16), True),
        (noise(10, 6), True),
        (flat(40), False),
        (noise(10, 25), False),
        (night_with_a_lamp(), False),
    ],
)
def test_what_is_black(picture: Pixels, dark: bool) -> None:
    assert is_dark(picture) is dark
    assert FrameCheck(60.0, 60.0).check(picture, 0.0).dark is dark


def test_black_only_after_a_while_and_not_after_one_light() -> None:
    check = FrameCheck(black_after_s=10.0, frozen_after_s=1000.0)
    assert not check.check(flat(5), 100.0).black
    assert not check.check(flat(5), 109.9).black
    assert check.check(flat(5), 110.0).black
    assert not check.check(flat(90), 111.0).black
    assert not check.check(flat(5), 112.0).black


def test_frozen_only_when_nothing_changes() -> None:
    check = FrameCheck(black_after_s=1000.0, frozen_after_s=10.0)
    still = noise(120, 40)
    assert check.check(still, 0.0) == Verdict(False, False, changed=False, frozen=False)
    assert not check.check(still.copy(), 9.9).frozen
    moved = still.copy()
    moved[0, 0] ^= 1
    assert check.check(moved, 9.95) == Verdict(False, False, changed=True, frozen=False)
    assert not check.check(moved, 19.9).frozen
    assert check.check(moved, 19.96).frozen


def test_the_dark_is_black_and_never_frozen() -> None:
    check = FrameCheck(black_after_s=10.0, frozen_after_s=10.0)
    verdicts = [check.check(flat(0), float(second)) for second in range(100)]
    assert not any(verdict.frozen for verdict in verdicts)
    assert verdicts[-1].black


def test_another_size_is_a_change() -> None:
    check = FrameCheck(60.0, 60.0)
    check.check(flat(90), 0.0)
    assert check.check(flat(90, height=240), 1.0).changed


def test_memory_that_is_used_again_is_no_standstill() -> None:
    """Some drivers hand out the same array each time."""
    check = FrameCheck(60.0, frozen_after_s=5.0)
    picture = flat(80)
    for second in range(20):
        picture[:] = 80 + second
        assert not check.check(picture, float(second)).frozen


@given(
    moves=st.lists(st.booleans(), min_size=1, max_size=60),
    period_s=st.floats(0.05, 5.0),
    after_s=st.floats(0.1, 60.0),
)
def test_frozen_means_exactly_that_nothing_moved_for_so_long(
    moves: list[bool], period_s: float, after_s: float
) -> None:
    check = FrameCheck(1e9, after_s)
    level, moved_s = 100, 0.0
    for number, moves_now in enumerate(moves):
        now_s = number * period_s
        if moves_now:
            level = 100 + (level - 99) % 100
            moved_s = now_s
        verdict = check.check(flat(level), now_s)
        assert verdict.frozen == (now_s - moved_s >= after_s)
        assert verdict.changed == (moves_now and number > 0)


@given(
    lights=st.lists(st.booleans(), min_size=1, max_size=60),
    period_s=st.floats(0.05, 5.0),
    after_s=st.floats(0.1, 60.0),
)
def test_black_means_exactly_that_it_was_dark_for_so_long(
    lights: list[bool], period_s: float, after_s: float
) -> None:
    check = FrameCheck(after_s, 1e9)
    dark_s: float | None = None
    for number, light in enumerate(lights):
        now_s = number * period_s
        dark_s = None if light else now_s if dark_s is None else dark_s
        verdict = check.check(flat(200 if light else 3), now_s)
        assert verdict.black == (dark_s is not None and now_s - dark_s >= after_s)


@given(height=st.integers(1, 300), width=st.integers(1, 300), level=st.integers(0, 255))
def test_any_size_can_be_checked(height: int, width: int, level: int) -> None:
    verdict = FrameCheck(1.0, 1.0).check(flat(level, height, width), 0.0)
    assert verdict.dark == (level < 24)


@pytest.mark.parametrize(
    ("thing", "usable"),
    [
        (flat(0), True),
        (flat(0)[:, :, 0], False),
        (flat(0)[:, :, :1], False),
        (np.zeros((4, 4, 4), np.uint8), False),
        (np.zeros((4, 4, 3), np.uint16), False),
        (np.zeros((0, 4, 3), np.uint8), False),
        (None, False),
        ("picture", False),
    ],
)
def test_what_is_a_picture(thing: object, usable: bool) -> None:
    assert is_picture(thing) is usable
