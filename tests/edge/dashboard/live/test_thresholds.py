"""The grades that a device's health figures get."""

from __future__ import annotations

import pytest

from edge.dashboard.base.messages import Health, Message
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.live.thresholds import TEMPERATURE_C, health_cells


def grades(health: Health | None) -> dict[str, str]:
    """The grade of each health figure of a device, by the name of the figure."""
    device = DeviceState("door1", 0.0)
    if health is not None:
        device.apply(Message("door1", health, 0.0), 0.0)
    return {cell.name: cell.grade for cell in health_cells(device)}


@pytest.mark.parametrize(
    ("value", "grade"),
    [(None, "none"), (60, "good"), (70, "warn"), (79.9, "warn"), (80, "bad")],
)
def test_threshold_grades_a_value(value: float | None, grade: str) -> None:
    assert TEMPERATURE_C.grade(value) == grade


def test_device_without_report_has_no_figures() -> None:
    (cell,) = health_cells(DeviceState("door1", 0.0))
    assert (cell.name, cell.text, cell.grade) == ("Health", "no report yet", "none")


def test_figures_are_graded() -> None:
    found = grades(Health(camera="black", temperature_c=85, events_dropped=2, fps=9.9))
    assert (found["Camera"], found["Temperature"], found["Dropped events"]) == ("bad",) * 3
    assert (found["Memory"], found["Frame rate"]) == ("none", "good")


@pytest.mark.parametrize(
    ("health", "name"),
    [
        (Health(camera="ok", fps=0.0), "Frame rate"),
        (Health(temperature_c=40.0, throttled=True), "Temperature"),
        (Health(outbox_depth=0, outbox_on_disk=False), "Waiting events"),
    ],
)
def test_fault_is_bad(health: Health, name: str) -> None:
    assert grades(health)[name] == "bad"


def test_restarts_are_a_warning() -> None:
    assert grades(Health(restarts=1))["Restarts"] == "warn"
    assert grades(Health(restarts=0))["Restarts"] == "good"
