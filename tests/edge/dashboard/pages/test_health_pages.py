"""The Health pages: devices, charts, problems, and forgetting devices."""

from __future__ import annotations

import time
from typing import Any

import pytest
from starlette.types import ASGIApp

from edge.dashboard.base.messages import Health, Info, Message, Model, Stage, State
from edge.dashboard.live.device_state import STALLED_AFTER_S
from edge.dashboard.live.thresholds import EXPLANATIONS
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.display_times import format_time, time_zone
from edge.dashboard.pages.page_context import PageContext
from tests.support.clock import RunningClock
from tests.support.dashboard.http_client import call_app

DAY_S = 86_400.0
HEALTH = Health(
    camera="stalled", fps=0.4, frame_age_s=12.3, memory_mb=94, temperature_c=75, outbox_depth=3,
    events_dropped=0, restarts=1, warnings=("camera: no picture for 12 s",),
    stages_ms={"frame": Stage(p50=31, p95=48)},
)  # fmt: skip


def publish(context: PageContext, device: str, body: Any) -> float:
    """Return when the message arrived."""
    now_s = time.time()
    context.live_state.apply_message(Message(device, body, now_s, False))
    return now_s


@pytest.fixture
def forgotten(context: PageContext) -> list[str]:
    """The devices that were forgotten; forgetting removes them from the live state."""
    names: list[str] = []

    def forget(*devices: str) -> None:
        names.extend(devices)
        context.live_state.remove_devices(devices)

    context.forget_devices = forget
    return names


def test_health_page_shows_figures_with_grades(app: ASGIApp, context: PageContext) -> None:
    publish(context, "door1", "online")
    publish(context, "door1", HEALTH)
    context.store.add_problems([{"device": "door1", "at_s": 0.0, "text": "went offline"}])
    page = call_app(app, "GET", "/health").text
    for text in ("door1", "problem", "12.3 s", "✖ critical", "75 °C", "▲ warning", "went offline"):
        assert text in page
    for name, explanation in EXPLANATIONS.items():
        assert f"<dt>{name}</dt>" in page
        assert explanation in page


def test_health_page_reports_the_connection(app: ASGIApp, context: PageContext) -> None:
    assert "Connecting to the broker …" in call_app(app, "GET", "/health").text
    context.live_state.set_connection(False, "no broker at 192.0.2.1: Connection refused")
    context.live_state.set_storage_error("alerts cannot be stored: the disk is full")
    context.live_state.set_refused({"json": 2})
    page = call_app(app, "GET", "/health").text
    assert "No broker at 192.0.2.1: Connection refused." in page
    assert "Alerts cannot be stored: the disk is full." in page
    assert "not valid JSON" in page


@pytest.mark.parametrize("span", ["1", "7", "14", "invalid"])
def test_device_page_has_charts(app: ASGIApp, context: PageContext, span: str) -> None:
    publish(context, "door1", HEALTH)
    publish(context, "door1", Info(version="1.2.3", model=Model(name="mask")))
    row = context.live_state.devices()[0].figures_row()
    context.store.add_figures([row])
    page = call_app(app, "GET", "/health/door1", query=f"span={span}").text
    assert page.count("<svg") == 5
    assert "version 1.2.3 · model mask" in page
    assert "camera: no picture for 12 s" in page


@pytest.mark.parametrize("path", ["/health", "/health/door1"])
def test_figures_of_a_silent_device_are_shown_as_old(
    app: ASGIApp, context: PageContext, path: str
) -> None:
    clock = context.live_state.ticks = RunningClock()
    publish(context, "door1", "online")
    reported_s = publish(context, "door1", HEALTH)
    clock.advance(7500.0)
    publish(context, "door1", "offline")
    page = call_app(app, "GET", path).text
    at = format_time(reported_s, time_zone(None))
    assert f"Figures as of <time>{at}</time>, 2 h 5 min ago:" in page
    assert page.count('<div class="stale">') == 9  # all figures but the lost events
    assert "✖ critical" not in page
    publish(context, "door1", "online")
    for _ in range(2):  # the second report shows that the silence before was an exception
        publish(context, "door1", HEALTH)
    page = call_app(app, "GET", path).text
    assert "Figures as of" not in page
    assert "✖ critical" in page
    # The device is online, but it sends no reports any more.
    clock.advance(STALLED_AFTER_S + 1.0)
    publish(context, "door1", State(no_mask=False, people=0))
    page = call_app(app, "GET", path).text
    assert "Figures as of" in page
    assert 'class="error"' not in page  # the warnings of the report are old, too


def test_stored_figures_are_shown_as_old(app: ASGIApp, context: PageContext) -> None:
    for body in ("online", HEALTH):
        context.live_state.apply_message(Message("door1", body, time.time(), True))
    page = call_app(app, "GET", "/health").text
    assert "Figures of an unknown time: the broker stored this report." in page


def test_device_page_without_measurements_says_so(app: ASGIApp, context: PageContext) -> None:
    publish(context, "door1", "online")
    page = call_app(app, "GET", "/health/door1").text
    assert "No measurements in this period yet." in page
    assert "no report yet" in page


@pytest.mark.parametrize("path", ["/health/door2", "/health/door2/forget", "/health/a b"])
def test_unknown_device_is_reported(app: ASGIApp, path: str) -> None:
    response = call_app(app, "GET", path)
    assert response.status == 404
    assert "There is no device with this name." in response.text


def test_device_is_forgotten_after_confirmation(
    app: ASGIApp, context: PageContext, forgotten: list[str]
) -> None:
    publish(context, "door1", "online")
    assert "still active (online)" in call_app(app, "GET", "/health/door1/forget").text
    publish(context, "door1", "offline")
    assert "returns to the lists when" in call_app(app, "GET", "/health/door1/forget").text
    assert forgotten == []
    response = call_app(app, "POST", "/health/door1/forget")
    assert (response.status, response.headers["location"]) == (303, "/health")
    assert forgotten == ["door1"]


def test_only_silent_devices_are_forgotten_together(
    context: PageContext, forgotten: list[str]
) -> None:
    app = make_app(context, password_on_loopback=False)
    now_s = time.time()
    publish(context, "online", "online")
    for name in ("old1", "old2"):
        context.live_state.add_known_device(name, now_s - 2 * DAY_S, 2 * DAY_S)
    context.live_state.add_known_device("recent", now_s - 3600.0, 3600.0)
    assert "Forget all 2 devices" in call_app(app, "GET", "/health").text
    assert "old1, old2" in call_app(app, "GET", "/forget-silent").text
    assert call_app(app, "POST", "/forget-silent").status == 303
    assert forgotten == ["old1", "old2"]
    assert "No device has been silent" in call_app(app, "GET", "/forget-silent").text
