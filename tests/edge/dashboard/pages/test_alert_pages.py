"""Acknowledging alerts."""

from __future__ import annotations

import json
import time

import pytest
from starlette.types import ASGIApp

from edge.dashboard.history.queries import AlertFilter
from edge.dashboard.pages.alert_pages import MAX_BYTES
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.events import message
from tests.support.dashboard.http_client import Response, call_app


def acknowledge(app: ASGIApp, body: bytes) -> Response:
    return call_app(app, "POST", "/alerts/acknowledge", body)


def test_acknowledged_alerts_are_stored_and_shown(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    events = [message(seq=number, at_s=now_s) for number in (1, 2, 3)]
    context.store.write_events(events, now_s)
    episodes = [event.episode for event in events[:2]]
    response = acknowledge(app, json.dumps({"episodes": [*episodes, "unknown"]}).encode())
    assert (response.status, response.json()) == (200, {"acknowledged": 2})
    rows = context.history.alert_page(AlertFilter(0.0, now_s + 1.0), 10)
    stored = {row["episode"] for row in rows if row["acknowledged_s"] is not None}
    assert stored == set(episodes)
    _, changes = context.live_state.changes_since(-1)
    assert {alert["episode"] for alert in changes["alerts"]} == set(episodes)


def test_unknown_alerts_are_reported(app: ASGIApp) -> None:
    response = acknowledge(app, b'{"episodes": ["unknown"]}')
    assert response.status == 404
    assert "no longer contains these alerts" in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"episodes": []}', b'{"episodes": ["a b"]}', b" " * (MAX_BYTES + 1)],
)
def test_invalid_bodies_are_refused(app: ASGIApp, body: bytes) -> None:
    response = acknowledge(app, body)
    assert response.status == 422
    assert "list of alerts" in response.json()["error"]
