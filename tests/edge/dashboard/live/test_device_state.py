"""The condition of a device, from its messages and their times."""

from __future__ import annotations

from typing import Any

import pytest

from edge.dashboard.base.messages import Health, Info, Message, Stage, State
from edge.dashboard.live.device_state import MAX_STATE_DELAY_S, STALLED_AFTER_S, DeviceState

START_S = 1_000_000.0


def apply(
    device: DeviceState, body: Any, at_s: float = START_S, retained: bool = False
) -> list[str]:
    return device.apply(Message(device.name, body, at_s, retained), at_s)


@pytest.fixture
def device() -> DeviceState:
    return DeviceState("door1", START_S)


def test_retained_messages_are_no_sign_of_life(device: DeviceState) -> None:
    apply(device, "online", retained=True)
    apply(device, Health(camera="ok"), retained=True)
    assert device.seen_s is None
    assert device.condition(START_S + 5)[0] == "online"
    assert device.condition(START_S + STALLED_AFTER_S + 1)[0] == "stalled"


@pytest.mark.parametrize(
    ("no_mask", "since", "all_clear_s"),
    [
        (False, None, START_S),
        (False, "1970-01-12T13:47:00.000Z", START_S + 20),  # the device's clock is ahead
        (True, "1970-01-12T13:46:20.000Z", START_S - 20 - MAX_STATE_DELAY_S),
        (True, "2026-01-01T00:00:00.000Z", 0.0),  # far ahead
        (True, "9999-12-31T23:59:59.999Z", 0.0),
    ],
)
def test_all_clear_follows_the_state(
    device: DeviceState, no_mask: bool, since: str | None, all_clear_s: float
) -> None:
    assert device.page_row(START_S)["calm_s"] == 0.0
    apply(device, State(no_mask=no_mask, people=1, since=since))
    assert device.page_row(START_S)["calm_s"] == all_clear_s


@pytest.mark.parametrize("since", [None, "soon", ""])
def test_unknown_start_gives_no_all_clear(device: DeviceState, since: str | None) -> None:
    apply(device, State(no_mask=True, people=1, since=since))
    assert device.page_row(START_S)["calm_s"] <= 0.0


def test_silent_device_stalls_until_its_next_message(device: DeviceState) -> None:
    apply(device, "online")
    apply(device, Health(camera="ok"), START_S + 30)
    assert device.condition(START_S + 120)[0] == "online"
    assert device.condition(START_S + 131)[0] == "stalled"
    apply(device, State(no_mask=False, people=0), START_S + 140)
    assert device.condition(START_S + 140)[0] == "online"


def test_long_report_interval_delays_stalled(device: DeviceState) -> None:
    apply(device, "online")
    for number in range(3):
        apply(device, Health(camera="ok"), START_S + 600 * number)
    assert device.condition(START_S + 1200 + 1500)[0] == "online"
    assert device.condition(START_S + 1200 + 2000)[0] == "stalled"


def test_report_of_a_changed_camera_does_not_shorten_the_interval(device: DeviceState) -> None:
    apply(device, "online")
    at_s = START_S
    apply(device, Health(camera="starting"), at_s)
    for camera in ("ok", "stalled", "reopening", "ok"):  # each change is reported at once
        at_s += 2.0
        apply(device, Health(camera=camera), at_s)
    for _ in range(2):
        at_s += 600.0
        apply(device, Health(camera="ok"), at_s)
    assert device.condition(at_s + 1500.0)[0] == "online"
    assert device.condition(at_s + 2000.0)[0] == "stalled"


def test_restarts_do_not_shorten_the_interval(device: DeviceState) -> None:
    apply(device, "online")
    at_s = START_S
    for _ in range(5):  # each start is reported after a second
        at_s += 20.0
        apply(device, Health(camera="ok", uptime_s=1.0), at_s)
    for number in (1, 2):
        at_s += 600.0
        apply(device, Health(camera="ok", uptime_s=600.0 * number + 1.0), at_s)
    assert device.condition(at_s + 1500.0)[0] == "online"
    assert device.condition(at_s + 2000.0)[0] == "stalled"


def test_one_long_silence_does_not_hide_the_next(device: DeviceState) -> None:
    apply(device, "online")
    for at_s in (0.0, 30.0, 60.0, 3660.0):
        apply(device, Health(camera="ok"), START_S + at_s)
    assert device.condition(START_S + 3660.0 + 90.0)[0] == "online"
    assert device.condition(START_S + 3660.0 + 120.0)[0] == "stalled"


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ("offline", "offline"),
        (Health(camera="frozen"), "trouble"),
        (Health(camera="starting"), "online"),
        (State(no_mask=False, people=0, paused=True), "paused"),
    ],
)
def test_message_determines_the_condition(device: DeviceState, body: Any, condition: str) -> None:
    assert device.condition(START_S)[0] == "unknown"
    apply(device, "online")
    apply(device, body)
    assert device.condition(START_S)[0] == condition


def test_only_new_problems_are_returned(device: DeviceState) -> None:
    assert apply(device, Health(warnings=("hot",))) == ["hot"]
    assert apply(device, Health(warnings=("hot", "full"))) == ["full"]
    assert apply(device, Health(warnings=())) == []
    assert apply(device, Health(warnings=("hot",))) == ["hot"]
    apply(device, "online")
    assert apply(device, "offline") == ["went offline"]
    assert apply(device, "offline") == []


def test_last_report_becomes_a_row_of_figures(device: DeviceState) -> None:
    apply(device, Info(version="1.2"))
    apply(device, Health(fps=9.5, stages_ms={"frame": Stage(50.0, 80.0)}), START_S + 30)
    assert device.figures_row() == {
        "device": "door1", "at_s": START_S + 30, "fps": 9.5, "frame_ms": 80.0,
        "temperature_c": None, "memory_mb": None, "outbox_depth": None,
    }  # fmt: skip
