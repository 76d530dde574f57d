from __future__ import annotations

import pytest

from edge.health.thermal_throttle import (
    CHECK_INTERVAL_S,
    DOWN_AFTER_S,
    MIN_SHARE,
    STEP,
    UP_AFTER_S,
    ThermalThrottle,
)


class Board:
    """A board whose temperature and flags a test sets, and its throttle."""

    def __init__(self, hot_c: float = 75.0) -> None:
        self.temperature_c: float | None = 50.0
        self.flags: list[str] | None = []
        self.reads = 0
        self.throttle = ThermalThrottle(hot_c, self._temperature, lambda: self.flags)
        self.now_s = 100.0

    def _temperature(self) -> float | None:
        self.reads += 1
        return self.temperature_c

    def share_after(self, seconds: float) -> float:
        """Let `seconds` pass in steps of 0.1 s; return the allowed share of the frame rate."""
        for _ in range(round(seconds / 0.1)):
            self.now_s += 0.1
            self.throttle.update(self.now_s)
        return self.throttle.share


def test_cool_board_keeps_the_full_rate() -> None:
    board = Board()
    assert board.share_after(100.0) == 1.0
    assert board.reads == pytest.approx(100.0 / CHECK_INTERVAL_S, abs=1)


def test_hot_board_reduces_the_rate_stepwise() -> None:
    board = Board()
    board.share_after(10.0)
    board.temperature_c = 76.0
    assert board.share_after(CHECK_INTERVAL_S) == pytest.approx(STEP)
    assert board.share_after(DOWN_AFTER_S - CHECK_INTERVAL_S) == pytest.approx(STEP)
    assert board.share_after(CHECK_INTERVAL_S) == pytest.approx(STEP**2)
    assert board.share_after(600.0) == MIN_SHARE


def test_rate_rises_only_after_cooling_down() -> None:
    board = Board()
    board.temperature_c = 80.0
    board.share_after(600.0)
    board.temperature_c = 73.0  # below the limit, but within the hysteresis
    assert board.share_after(600.0) == MIN_SHARE
    board.temperature_c = 65.0
    assert board.share_after(CHECK_INTERVAL_S) == pytest.approx(MIN_SHARE / STEP)
    assert board.share_after(4 * UP_AFTER_S) == 1.0


@pytest.mark.parametrize(
    ("flag", "share"),
    [("throttled", STEP), ("soft temperature limit", STEP), ("under-voltage", 1.0)],
)
def test_heat_flags_reduce_the_rate(flag: str, share: float) -> None:
    board = Board()
    board.flags = [flag]
    assert board.share_after(CHECK_INTERVAL_S + 1.0) == pytest.approx(share)


def test_board_without_sensors_keeps_the_full_rate() -> None:
    board = Board()
    board.temperature_c = board.flags = None
    assert board.share_after(100.0) == 1.0


def test_each_change_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    board = Board()
    board.flags = ["throttled"]
    board.temperature_c = 82.0
    board.share_after(CHECK_INTERVAL_S + 1.0)
    assert "set to 70% of camera.fps: throttled, 82 °C" in caplog.text
