from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from edge.health.led import HUNG_S, PATTERNS, Blinker, BoardLed, find_led, pattern_for
from tests.support.disks import read_only
from tests.support.waiting import wait_until

HEALTHY: dict[str, Any] = {
    "camera": "ok",
    "connected": True,
    "outbox_on_disk": True,
    "paused": False,
}
TRIGGERS = "rc-feedback mmc0 timer"


class RecordingLed:
    """An LED that records its state during each of the first `waits` waits, and their durations."""

    def __init__(self, waits: int) -> None:
        self.recorded: list[tuple[bool, float]] = []
        self.restored = threading.Event()
        self._on = False
        self._waits = waits

    def switch(self, on: bool) -> None:
        self._on = on

    def restore(self) -> None:
        self.restored.set()

    def wait(self, stopped: threading.Event, seconds: float) -> bool:
        if len(self.recorded) == self._waits:
            return stopped.wait(20.0)
        self.recorded.append((self._on, seconds))
        return False


def make_led_folder(folder: Path, trigger: str = "none rc-feedback [mmc0] timer\n") -> Path:
    led = folder / "ACT"
    led.mkdir()
    (led / "max_brightness").write_text("255\n")
    (led / "brightness").write_text("1\n")
    (led / "trigger").write_text(trigger)
    return led


@pytest.mark.parametrize(
    ("health", "alerting", "expected"),
    [
        ({}, 0, "ok"),
        ({"camera": "starting"}, 0, "ok"),
        ({}, 2, "alert"),
        ({"connected": False}, 0, "no broker"),
        ({"connected": False}, 1, "alert"),
        ({"paused": True}, 0, "paused"),
        ({"outbox_on_disk": False}, 1, "no disk"),
        ({"camera": "frozen"}, 0, "no camera"),
        ({"camera": "stalled", "connected": False, "outbox_on_disk": False}, 1, "no camera"),
    ],
)
def test_most_serious_condition_is_shown(
    health: dict[str, Any], alerting: int, expected: str
) -> None:
    status = {"health": {**HEALTHY, **health}, "alerting": alerting}
    assert pattern_for(status, 0.2) == expected
    assert pattern_for(status, HUNG_S + 0.1) == "hung"


def test_missing_fields_count_as_ok() -> None:
    without_mqtt = {"health": {"camera": "ok", "paused": False}, "alerting": 0}
    assert pattern_for({}, 0.0) == "ok"
    assert pattern_for(without_mqtt, 0.0) == "ok"


def test_patterns_differ_by_number_of_blinks() -> None:
    names = ("ok", "no broker", "no camera", "no disk")
    assert [len(PATTERNS[name]) // 2 for name in names] == [1, 2, 3, 4]
    for name in names:
        *pauses, rest = PATTERNS[name][1::2]
        assert all(rest > 4 * pause for pause in pauses)


def test_blinker_repeats_patterns_and_restores_the_led() -> None:
    led = RecordingLed(waits=6)
    names = iter(["no broker", "ok", "ok", "ok"])
    with Blinker(led, lambda: next(names), led.wait):
        wait_until(lambda: len(led.recorded) == 6, "two rounds")
        assert not led.restored.is_set()
    blink, pause, rest = 0.1, 0.25, 2.0
    two = [(True, blink), (False, pause), (True, blink), (False, rest)]
    assert led.recorded == [*two, (True, blink), (False, rest)]
    assert led.restored.is_set()


def test_board_led_switches_and_restores_its_trigger(tmp_path: Path) -> None:
    folder = make_led_folder(tmp_path)
    led = BoardLed(folder)
    assert (folder / "trigger").read_text() == "none"
    led.switch(True)
    assert (folder / "brightness").read_text() == "255"
    led.switch(False)
    assert (folder / "brightness").read_text() == "0"
    led.restore()
    assert (folder / "trigger").read_text() == "mmc0"


@pytest.mark.parametrize("kills", [1, 2])
def test_trigger_is_restored_after_kills(tmp_path: Path, kills: int) -> None:
    folder, saved = make_led_folder(tmp_path), tmp_path / "state" / "led-trigger"
    for _ in range(kills):
        BoardLed(folder, saved)  # after a kill, `restore` is not called
        assert (folder / "trigger").read_text() == "none"
        # The kernel lists all triggers, and encloses the active trigger in brackets.
        (folder / "trigger").write_text(f"[none] {TRIGGERS}\n")
    BoardLed(folder, saved).restore()
    assert (folder / "trigger").read_text() == "mmc0"
    assert not saved.exists()


def test_unused_led_stays_without_a_trigger(tmp_path: Path) -> None:
    folder, saved = make_led_folder(tmp_path, f"[none] {TRIGGERS}\n"), tmp_path / "led-trigger"
    BoardLed(folder, saved).restore()
    assert (folder / "trigger").read_text() == "none"
    for invalid in (b"no-such\n", b"\xff"):
        saved.write_bytes(invalid)
        (folder / "trigger").write_text(f"[none] {TRIGGERS}\n")
        BoardLed(folder, saved).restore()
        assert (folder / "trigger").read_text() == "none"


def test_led_works_when_its_trigger_cannot_be_saved(tmp_path: Path) -> None:
    folder = make_led_folder(tmp_path)
    (tmp_path / "file").touch()
    led = BoardLed(folder, tmp_path / "file" / "led-trigger")
    led.restore()
    assert (folder / "trigger").read_text() == "mmc0"


def test_only_an_existing_named_led_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_led_folder(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert find_led("PWR", tmp_path) is None
    assert find_led("", tmp_path) is None
    assert not (tmp_path / "state").exists()
    assert find_led("ACT", tmp_path) is not None
    assert (tmp_path / "state/led-trigger").read_text() == "mmc0\n"


def test_forbidden_led_is_left_alone(tmp_path: Path) -> None:
    folder = make_led_folder(tmp_path)
    with read_only(folder):
        assert find_led("ACT", tmp_path, tmp_path / "led-trigger") is None
    assert "[mmc0]" in (folder / "trigger").read_text()


def test_vanished_led_ends_only_the_blinking(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_led_folder(tmp_path)
    led = BoardLed(folder)
    (folder / "brightness").unlink()
    (folder / "brightness").mkdir()
    with Blinker(led, lambda: "ok"):
        wait_until(lambda: "can no longer be used" in caplog.text, "the warning")
    assert "ERROR" not in caplog.text
