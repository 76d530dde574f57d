"""Acknowledging alerts."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Sequence

import pytest
from starlette.types import ASGIApp

from edge.dashboard.history.queries import AlertFilter
from edge.dashboard.history.store import AlertRow, WriteResult
from edge.dashboard.ingest.event_batcher import BatcherCallbacks, EventBatcher
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.pages.alert_pages import MAX_BYTES, MAX_NAME, UNDO_LIMIT_S
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.events import message, visit
from tests.support.dashboard.http_client import Response, call_app


def acknowledge(app: ASGIApp, body: bytes) -> Response:
    return post(app, "acknowledge", body)


def post(app: ASGIApp, path: str, body: bytes) -> Response:
    return call_app(app, "POST", f"/alerts/{path}", body)


def test_acknowledged_alerts_are_stored_and_shown(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    events = [message(seq=number, at_s=now_s) for number in (1, 2, 3)]
    context.store.write_events(events, now_s)
    episodes = [event.episode for event in events[:2]]
    response = acknowledge(app, json.dumps({"episodes": [*episodes, "unknown"]}).encode())
    assert response.status == 200
    assert response.json()["alerts"] == 2
    rows = context.history.alert_page(AlertFilter(0.0, now_s + 1.0), 10)
    stored = {row["episode"] for row in rows if row["acknowledged_s"] is not None}
    assert stored == set(episodes)
    _, changes = context.live_state.changes_since(-1)
    assert {alert["episode"] for alert in changes["alerts"]} == set(episodes)


def test_name_and_note_are_shown_and_exported(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    event = message(seq=1, at_s=now_s - 60.0)
    context.store.write_events([event], now_s)
    body = {"episodes": [event.episode], "name": "  =Anna\r\n<b>\u202e" + "x" * 100}
    answer = acknowledge(app, json.dumps(body).encode()).json()
    note = json.dumps({"episodes": [event.episode], "note": "@was told,\0 twice"}).encode()
    assert post(app, "note", note).status == 200
    name = ("=Anna <b>" + "x" * 100)[:MAX_NAME]
    _, changes = context.live_state.changes_since(-1)
    (alert,) = changes["alerts"]
    assert (alert["acknowledged_by"], alert["note"]) == (name, "@was told, twice")
    page = call_app(app, "GET", "/history").text
    assert "=Anna &lt;b&gt;xxx" in page
    assert "@was told, twice" in page
    text = call_app(app, "GET", "/history.csv").text
    (row,) = csv.DictReader(io.StringIO(text))
    # A spreadsheet must not take them for formulas.
    assert (row["acknowledged_by"], row["note"]) == (f"'{name}", "'@was told, twice")
    undo = json.dumps({"episodes": [event.episode], "at_s": answer["at_s"]}).encode()
    assert post(app, "undo", undo).status == 200
    _, changes = context.live_state.changes_since(-1)
    (alert,) = changes["alerts"]
    assert (alert["acknowledged_s"], alert["acknowledged_by"], alert["note"]) == (None, None, None)


def test_acknowledgement_cannot_be_taken_back_later(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    event = message(seq=1, at_s=now_s)
    context.store.write_events([event], now_s)
    at_s = now_s - UNDO_LIMIT_S - 1.0
    context.store.acknowledge_alerts([event.episode], at_s, "Anna")
    body = json.dumps({"episodes": [event.episode], "at_s": at_s}).encode()
    response = post(app, "undo", body)
    assert response.status == 409
    assert "first ten seconds" in response.json()["error"]
    assert context.history.newest_alerts(1)[0]["acknowledged_by"] == "Anna"


def test_only_own_acknowledgements_are_counted(app: ASGIApp, context: PageContext) -> None:
    now_s = time.time()
    events = [message(seq=number, at_s=now_s) for number in (1, 2)]
    context.store.write_events(events, now_s)
    first, second = (event.episode for event in events)
    for episodes, count in (([first], 1), ([first, second], 1), ([first], 0)):
        answer = acknowledge(app, json.dumps({"episodes": episodes}).encode()).json()
        assert (answer["alerts"], answer["acknowledged"]) == (len(episodes), count)


def test_end_during_an_acknowledgement_is_shown(
    app: ASGIApp, context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = time.time()
    begin, end = visit(1, at_s=now_s)
    context.store.write_events([begin], now_s)
    shown = threading.Event()

    def show_end(result: WriteResult) -> None:
        context.live_state.update_alerts(result.alerts)
        shown.set()

    callbacks = BatcherCallbacks(
        show_end, lambda event, error: None, lambda reason: None, lambda: None
    )
    batcher = EventBatcher(context.store, callbacks)
    batcher.start()
    show = LiveState.update_alerts

    def show_late(state: LiveState, rows: Sequence[AlertRow]) -> None:
        if rows[0]["ended_s"] is None:
            # The end arrives after the acknowledgement is stored and before it is shown.
            batcher.put(end, lambda: None, 1)
            shown.wait(0.5)
        show(state, rows)

    monkeypatch.setattr(LiveState, "update_alerts", show_late)
    body = json.dumps({"episodes": [begin.episode]}).encode()
    assert acknowledge(app, body).status == 200
    batcher.stop()
    (alert,) = context.live_state.changes_since(-1)[1]["alerts"]
    assert (alert["ended_by"], alert["acknowledged_s"] is not None) == ("left", True)


def test_unknown_alerts_are_reported(app: ASGIApp) -> None:
    response = acknowledge(app, b'{"episodes": ["unknown"]}')
    assert response.status == 404
    assert "no longer contains these alerts" in response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"episodes": []}', b'{"episodes": ["a b"]}', b" " * (MAX_BYTES + 1)],
)
def test_invalid_bodies_are_refused(app: ASGIApp, body: bytes) -> None:
    for path in ("acknowledge", "undo", "note"):
        response = post(app, path, body)
        assert response.status == 422
        assert "list of alerts" in response.json()["error"]
