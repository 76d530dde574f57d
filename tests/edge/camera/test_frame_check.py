from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.frame_check import FrameCheck, Verdict, is_dark
from edge.common.arrays import Pixels
from tests.support.footage.pictures import flat

RANDOM = np.random.default_rng(7)


def noise(mean: float, spread: float, height: int = 120, width: int = 160) -> Pixels:
    levels = RANDOM.normal(mean, spread, (height, width, 3))
    return np.clip(levels, 0, 255).astype(np.uint8)


def night_with_a_lamp() -> Pixels:
    """Return a black picture of 640x480 with an exit sign of 60x30 pixels."""
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
def test_dark_pictures(picture: Pixels, dark: bool) -> None:
    assert is_dark(picture) is dark
    assert FrameCheck(60.0, 60.0).check(picture, 0.0).dark is dark


def test_picture_is_black_after_a_dark_time_without_light() -> None:
    check = FrameCheck(black_after_s=10.0, frozen_after_s=1000.0)
    assert not check.check(flat(5), 100.0).black
    assert not check.check(flat(5), 109.9).black
    assert check.check(flat(5), 110.0).black
    assert not check.check(flat(90), 111.0).black
    assert not check.check(flat(5), 112.0).black


def test_picture_is_frozen_after_a_time_without_change() -> None:
    check = FrameCheck(black_after_s=1000.0, frozen_after_s=10.0)
    still = noise(120, 40)
    assert check.check(still, 0.0) == Verdict(False, False, changed=False, frozen=False)
    assert not check.check(still.copy(), 9.9).frozen
    changed = still.copy()
    changed[0, 0] ^= 1
    assert check.check(changed, 9.95) == Verdict(False, False, changed=True, frozen=False)
    assert not check.check(changed, 19.9).frozen
    assert check.check(changed, 19.96).frozen


def test_dark_picture_is_never_frozen() -> None:
    check = FrameCheck(black_after_s=10.0, frozen_after_s=10.0)
    verdicts = [check.check(flat(0), float(second)) for second in range(100)]
    assert not any(verdict.frozen for verdict in verdicts)
    assert verdicts[-1].black


def test_new_picture_size_is_a_change() -> None:
    check = FrameCheck(60.0, 60.0)
    check.check(flat(90), 0.0)
    assert check.check(flat(90, height=240), 1.0).changed


def test_reused_array_is_not_mistaken_for_a_frozen_picture() -> None:
    """Some drivers return the same array with new content each time."""
    check = FrameCheck(60.0, frozen_after_s=5.0)
    picture = flat(80)
    for second in range(20):
        picture[:] = 80 + second
        assert not check.check(picture, float(second)).frozen


@pytest.mark.slow
@given(
    changes=st.lists(st.booleans(), min_size=1, max_size=60),
    period_s=st.floats(0.05, 5.0),
    after_s=st.floats(0.1, 60.0),
)
def test_frozen_begins_exactly_after_frozen_after_s(
    changes: list[bool], period_s: float, after_s: float
) -> None:
    check = FrameCheck(1e9, after_s)
    level, changed_s = 100, 0.0
    for number, changes_now in enumerate(changes):
        now_s = number * period_s
        if changes_now:
            level = 100 + (level - 99) % 100
            changed_s = now_s
        verdict = check.check(flat(level), now_s)
        assert verdict.frozen == (now_s - changed_s >= after_s)
        assert verdict.changed == (changes_now and number > 0)


@given(
    lights=st.lists(st.booleans(), min_size=1, max_size=60),
    period_s=st.floats(0.05, 5.0),
    after_s=st.floats(0.1, 60.0),
)
def test_black_begins_exactly_after_black_after_s(
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
def test_picture_of_any_size_can_be_checked(height: int, width: int, level: int) -> None:
    verdict = FrameCheck(1.0, 1.0).check(flat(level, height, width), 0.0)
    assert verdict.dark == (level < 24)
