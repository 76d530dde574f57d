"""The list of devices on the Health page: order, filter, and pages."""

from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from edge.dashboard.base.messages import Camera, Health, Info, Message, State
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.pages.device_list import (
    DEVICES_PER_PAGE,
    MAX_SEARCH,
    DeviceFilter,
    device_page,
)
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.http_client import call_app

NOW_S = 1_000.0
BODIES = {
    "good2": (Health(camera="ok", fps=10.0, restarts=3, events_dropped=5),),
    "good10": (),
    "warm": (Health(camera="ok", temperature_c=71.0),),
    "hot": (Health(camera="ok", temperature_c=85.0),),
    "gone": ("offline",),
    "black": (Health(camera="black"),),
    "paused": (State(no_mask=False, people=0, paused=True),),
}


def device(name: str, *bodies: object) -> DeviceState:
    state = DeviceState(name, NOW_S)
    for body in ("online", *bodies):
        state.apply(Message(name, body, NOW_S), NOW_S)  # type: ignore[arg-type]
    return state


DEVICES = [device(name, *bodies) for name, bodies in sorted(BODIES.items())]


def names(query: dict[str, str]) -> list[str]:
    page = device_page(DEVICES, DeviceFilter.parse(query), NOW_S)
    return [each.row["device"] for each in page.devices]


def test_devices_with_trouble_come_first() -> None:
    order = ["black", "gone", "hot", "paused", "warm", "good2", "good10"]
    assert names({}) == order
    assert names({"state": "attention"}) == order[:5]
    page = device_page(DEVICES, DeviceFilter.parse({}), NOW_S)
    assert (page.counts["online"], page.counts["offline"], page.counts["attention"]) == (4, 1, 5)


def test_filter_finds_names_titles_and_states() -> None:
    titled = device("x1", Info(title="Haupteingang", camera=Camera(name="c", title="Straße")))
    for search in ("HAUPT", "strasse", "x1 haupt"):
        page = device_page([*DEVICES, titled], DeviceFilter.parse({"search": search}), NOW_S)
        assert [each.row["device"] for each in page.devices] == ["x1"]
    assert names({"state": "offline"}) == ["gone"]
    assert names({"search": "good", "state": "offline"}) == []


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ({"state": "x", "page": "-1", "search": "  a   b "}, DeviceFilter("a b", "", 1)),
        ({"page": "٣"}, DeviceFilter("", "", 1)),
        ({"page": "0", "state": "paused"}, DeviceFilter("", "paused", 1)),
        ({"page": "9" * 50, "search": "x" * 999}, DeviceFilter("x" * MAX_SEARCH, "", 1)),
        ({"page": "7"}, DeviceFilter("", "", 7)),
    ],
)
def test_invalid_filters_count_as_absent(given: dict[str, str], parsed: DeviceFilter) -> None:
    assert DeviceFilter.parse(given) == parsed


def test_page_links_lead_to_every_device(app: ASGIApp, context: PageContext) -> None:
    wanted = {f"door{number}" for number in range(2 * DEVICES_PER_PAGE + 1)}
    for name in sorted(wanted | {"other"}):
        context.live_state.apply_message(Message(name, "offline", NOW_S))
    query, shown = "search=door&state=offline", set()
    for _ in range(3):
        page = call_app(app, "GET", "/health", query=query).text
        shown |= {part.split('"')[0] for part in page.split('<h2><a href="/health/')[1:]}
        assert f"of {len(wanted)} devices" in page
        link = page.split(">Next devices<")[0].rpartition('href="/health?')[2]
        query = link.split('"')[0].replace("&amp;", "&")
    assert shown == wanted
    assert ">Next devices<" not in page
    assert "No device matches." in call_app(app, "GET", "/health", query="search=nobody").text
    last = call_app(app, "GET", "/health", query="page=999").text
    assert "49 to 50 of 50 devices" in last
