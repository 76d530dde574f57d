"""How a device is, from what it says and when it said it last."""

from __future__ import annotations

from typing import Any

import pytest

from edge.dashboard.base.messages import Health, Message, State
from edge.dashboard.live.device_state import SLACK_S, STALLED_AFTER_S, DeviceState
from edge.dashboard.live.thresholds import TEMPERATURE_C, health_cells

S = 1_000_000.0


def said(device: DeviceState, body: Any, at_s: float = S, retained: bool = False) -> list[str]:
    return device.apply(Message(device.name, body, at_s, retained))


@pytest.fixture
def device() -> DeviceState:
    return DeviceState("door1", S)


def test_what_the_broker_had_kept_is_no_sign_of_life(device: DeviceState) -> None:
    said(device, "online", retained=True)
    said(device, Health(camera="ok"), retained=True)
    assert device.seen_s is None
    assert device.condition(S + 5)[0] == "online"
    assert device.condition(S + STALLED_AFTER_S + 1)[0] == "stalled"


def calm_s(device: DeviceState, no_mask: bool, since: str | None, at_s: float = S) -> float:
    said(device, State(no_mask=no_mask, people=1, since=since), at_s)
    return float(device.page_row(at_s)["calm_s"])


def test_since_when_nobody_is_bare_faced(device: DeviceState) -> None:
    assert device.page_row(S)["calm_s"] == 0.0
    assert calm_s(device, False, None) == S
    assert calm_s(device, False, "1970-01-12T13:47:00.000Z") == S + 20  # its clock is ahead
    # Somebody is: all that began before it was so has ended.
    assert calm_s(device, True, "1970-01-12T13:46:20.000Z", S + 30) == S - 20 - SLACK_S
    for unknown in (None, "soon", "9999-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"):
        assert calm_s(device, True, unknown) <= 0.0


def test_it_stalls_when_it_reports_nothing_and_comes_back(device: DeviceState) -> None:
    said(device, "online")
    said(device, Health(camera="ok"), S + 30)
    assert device.condition(S + 120)[0] == "online"
    assert device.condition(S + 131)[0] == "stalled"
    said(device, State(no_mask=False, people=0), S + 140)
    assert device.condition(S + 140)[0] == "online"


def test_one_that_reports_seldom_is_given_time(device: DeviceState) -> None:
    said(device, "online")
    for number in range(3):
        said(device, Health(camera="ok"), S + 600 * number)
    assert device.condition(S + 1200 + 1500)[0] == "online"
    assert device.condition(S + 1200 + 2000)[0] == "stalled"


def test_one_long_silence_does_not_hide_the_next(device: DeviceState) -> None:
    said(device, "online")
    for at_s in (0.0, 30.0, 60.0, 3660.0):
        said(device, Health(camera="ok"), S + at_s)
    assert device.condition(S + 3660.0 + 90.0)[0] == "online"
    assert device.condition(S + 3660.0 + 120.0)[0] == "stalled"


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ("offline", "offline"),
        (Health(camera="frozen"), "trouble"),
        (Health(camera="starting"), "online"),
        (State(no_mask=False, people=0, paused=True), "paused"),
    ],
)
def test_conditions(device: DeviceState, body: Any, condition: str) -> None:
    assert device.condition(S)[0] == "unknown"
    said(device, "online")
    said(device, body)
    assert device.condition(S)[0] == condition


def test_only_what_is_newly_wrong_is_news(device: DeviceState) -> None:
    assert said(device, Health(warnings=("hot",))) == ["hot"]
    assert said(device, Health(warnings=("hot", "full"))) == ["full"]
    assert said(device, Health(warnings=())) == []
    assert said(device, Health(warnings=("hot",))) == ["hot"]
    said(device, "online")
    assert said(device, "offline") == ["went offline"]
    assert said(device, "offline") == []


def test_figures_are_graded(device: DeviceState) -> None:
    assert [TEMPERATURE_C.grade(v) for v in (None, 60, 70, 79.9, 80)] == [
        "none", "good", "warn", "warn", "bad",
    ]  # fmt: skip
    assert health_cells(device)[0].text == "no report yet"
    said(device, Health(camera="black", temperature_c=85, events_dropped=2, fps=9.9))
    graded = {cell.name: cell.grade for cell in health_cells(device)}
    assert (graded["Camera"], graded["Temperature"], graded["Dropped events"]) == (
        "bad",
        "bad",
        "bad",
    )
    assert (graded["Memory"], graded["Frame rate"]) == ("none", "good")
    said(device, Health(camera="ok", fps=0.0))
    assert {cell.name: cell.grade for cell in health_cells(device)}["Frame rate"] == "bad"
