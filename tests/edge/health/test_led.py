from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from edge.health.led import HUNG_S, PATTERNS, Blinker, BoardLed, find_led, pattern_for
from tests.support.brokers import wait_until
from tests.support.disks import read_only

WELL: dict[str, Any] = {"camera": "ok", "connected": True, "outbox_on_disk": True, "paused": False}


class DrawnLed:
    """One that writes down when it is lit, by the waits of who lights it."""

    def __init__(self, waits: int) -> None:
        self.drawn: list[tuple[bool, float]] = []
        self.given_back = threading.Event()
        self._on = False
        self._waits = waits

    def light(self, on: bool) -> None:
        self._on = on

    def give_back(self) -> None:
        self.given_back.set()

    def wait(self, stopped: threading.Event, seconds: float) -> bool:
        if len(self.drawn) == self._waits:
            return stopped.wait(20.0)
        self.drawn.append((self._on, seconds))
        return False


def board(folder: Path, trigger: str = "none rc-feedback [mmc0] timer\n") -> Path:
    led = folder / "ACT"
    led.mkdir()
    (led / "max_brightness").write_text("255\n")
    (led / "brightness").write_text("1\n")
    (led / "trigger").write_text(trigger)
    return led


@pytest.mark.parametrize(
    ("health", "alerting", "expected"),
    [
        ({}, 0, "well"),
        ({"camera": "starting"}, 0, "well"),
        ({}, 2, "alert"),
        ({"connected": False}, 0, "no broker"),
        ({"connected": False}, 1, "alert"),
        ({"paused": True}, 0, "paused"),
        ({"outbox_on_disk": False}, 1, "no disk"),
        ({"camera": "frozen"}, 0, "no camera"),
        ({"camera": "stalled", "connected": False, "outbox_on_disk": False}, 1, "no camera"),
    ],
)
def test_the_worst_is_shown(health: dict[str, Any], alerting: int, expected: str) -> None:
    status = {"health": {**WELL, **health}, "alerting": alerting}
    assert pattern_for(status, 0.2) == expected
    assert pattern_for(status, HUNG_S + 0.1) == "hung"


def test_before_anything_is_known_and_without_a_broker_all_is_well() -> None:
    assert pattern_for({}, 0.0) == "well"
    assert pattern_for({"health": {"camera": "ok", "paused": False}, "alerting": 0}, 0.0) == "well"


def test_blinks_can_be_told_apart_by_counting() -> None:
    counts = {name: len(PATTERNS[name]) // 2 for name in ("well", "no broker", "no camera")}
    assert counts == {"well": 1, "no broker": 2, "no camera": 3}
    for name in counts:
        *between, rest = PATTERNS[name][1::2]
        assert all(rest > 4 * pause for pause in between)


def test_patterns_are_shown_over_and_over_and_the_led_is_given_back() -> None:
    led = DrawnLed(waits=6)
    names = iter(["no broker", "well", "well", "well"])
    with Blinker(led, lambda: next(names), led.wait):
        wait_until(lambda: len(led.drawn) == 6, "two rounds")
        assert not led.given_back.is_set()
    blink, pause, rest = 0.1, 0.25, 2.0
    two = [(True, blink), (False, pause), (True, blink), (False, rest)]
    assert led.drawn == [*two, (True, blink), (False, rest)]
    assert led.given_back.is_set()


def test_the_boards_led_shows_the_card_again_afterwards(tmp_path: Path) -> None:
    folder = board(tmp_path)
    led = BoardLed(folder)
    assert (folder / "trigger").read_text() == "none"
    led.light(True)
    assert (folder / "brightness").read_text() == "255"
    led.light(False)
    assert (folder / "brightness").read_text() == "0"
    led.give_back()
    assert (folder / "trigger").read_text() == "mmc0"


KERNELS = "rc-feedback mmc0 timer"


@pytest.mark.parametrize("kills", [1, 2])
def test_after_a_kill_it_is_given_back_as_the_first_one_found_it(
    tmp_path: Path, kills: int
) -> None:
    folder, kept = board(tmp_path), tmp_path / "state" / "led-trigger"
    for _ in range(kills):
        BoardLed(folder, kept)  # and no more is heard of it
        assert (folder / "trigger").read_text() == "none"
        (folder / "trigger").write_text(f"[none] {KERNELS}\n")  # as the kernel shows that
    BoardLed(folder, kept).give_back()
    assert (folder / "trigger").read_text() == "mmc0"
    assert not kept.exists()


def test_an_led_that_was_off_stays_so(tmp_path: Path) -> None:
    folder, kept = board(tmp_path, f"[none] {KERNELS}\n"), tmp_path / "led-trigger"
    BoardLed(folder, kept).give_back()
    assert (folder / "trigger").read_text() == "none"
    for what in (b"no-such\n", b"\xff"):
        kept.write_bytes(what)
        (folder / "trigger").write_text(f"[none] {KERNELS}\n")
        BoardLed(folder, kept).give_back()
        assert (folder / "trigger").read_text() == "none"


def test_where_nothing_can_be_written_down_it_blinks_all_the_same(tmp_path: Path) -> None:
    folder = board(tmp_path)
    (tmp_path / "file").touch()
    led = BoardLed(folder, tmp_path / "file" / "led-trigger")
    led.give_back()
    assert (folder / "trigger").read_text() == "mmc0"


def test_a_board_without_one_or_a_name_that_is_empty_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert find_led("PWR", tmp_path) is None
    assert find_led("", tmp_path) is None
    assert not (tmp_path / "state").exists()
    assert find_led("ACT", tmp_path) is not None
    assert (tmp_path / "state/led-trigger").read_text() == "mmc0\n"


def test_an_led_that_may_not_be_used_is_left_alone(tmp_path: Path) -> None:
    folder = board(tmp_path)
    with read_only(folder):
        assert find_led("ACT", tmp_path, tmp_path / "led-trigger") is None
    assert "[mmc0]" in (folder / "trigger").read_text()


def test_an_led_that_is_taken_away_ends_the_blinking_only(tmp_path: Path) -> None:
    folder = board(tmp_path)
    led = BoardLed(folder)
    (folder / "brightness").unlink()
    (folder / "brightness").mkdir()
    with Blinker(led, lambda: "well"):
        pass
