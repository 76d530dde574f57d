from __future__ import annotations

import pytest

from edge.health.thermal_throttle import (
    CHECK_S,
    DOWN_AFTER_S,
    MIN_SHARE,
    STEP,
    UP_AFTER_S,
    ThermalThrottle,
)


class Board:
    """A board whose heat we set, watched for as long as we say."""

    def __init__(self, hot_c: float = 75.0) -> None:
        self.temperature_c: float | None = 50.0
        self.flags: list[str] | None = []
        self.asked = 0
        self.thermal = ThermalThrottle(hot_c, self._temperature, lambda: self.flags)
        self.now_s = 100.0

    def _temperature(self) -> float | None:
        self.asked += 1
        return self.temperature_c

    def watch(self, seconds: float) -> float:
        """What share of the frame rate is left after so long."""
        for _ in range(round(seconds / 0.1)):
            self.now_s += 0.1
            self.thermal.tend(self.now_s)
        return self.thermal.share


def test_a_cool_board_is_left_alone_and_seldom_asked() -> None:
    board = Board()
    assert board.watch(100.0) == 1.0
    assert board.asked == pytest.approx(100.0 / CHECK_S, abs=1)


def test_a_hot_board_gets_fewer_frames_step_by_step_but_never_none() -> None:
    board = Board()
    board.watch(10.0)
    board.temperature_c = 76.0
    assert board.watch(CHECK_S) == pytest.approx(STEP)
    assert board.watch(DOWN_AFTER_S - CHECK_S) == pytest.approx(STEP)  # time to show
    assert board.watch(CHECK_S) == pytest.approx(STEP**2)
    assert board.watch(600.0) == MIN_SHARE


def test_the_rate_comes_back_when_it_has_cooled_down_and_not_before() -> None:
    board = Board()
    board.temperature_c = 80.0
    board.watch(600.0)
    board.temperature_c = 73.0  # below the limit, and not yet cool
    assert board.watch(600.0) == MIN_SHARE
    board.temperature_c = 65.0
    assert board.watch(CHECK_S) == pytest.approx(MIN_SHARE / STEP)
    assert board.watch(4 * UP_AFTER_S) == 1.0


@pytest.mark.parametrize(
    ("flag", "share"),
    [("throttled", STEP), ("soft temperature limit", STEP), ("under-voltage", 1.0)],
)
def test_the_firmware_is_believed_when_it_says_that_it_is_hot(flag: str, share: float) -> None:
    board = Board()
    board.flags = [flag]
    assert board.watch(CHECK_S + 1.0) == pytest.approx(share)


def test_a_board_that_tells_nothing_runs_at_full_rate() -> None:
    board = Board()
    board.temperature_c = board.flags = None
    assert board.watch(100.0) == 1.0
