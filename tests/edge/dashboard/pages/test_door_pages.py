"""The page of a door's screen, its links, and who may see it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pytest
from starlette.types import ASGIApp

from edge.config.door_screen import DoorColours, DoorScreenSettings, ink_on
from edge.dashboard.base.messages import Message
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.door_pages import DoorPage
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.http_client import PASSWORD, Response, call_app

#: A name of the dashboard at which browsers on other machines reach it.
DESK = "desk.example"
Get = Callable[..., Response]


@pytest.fixture
def get(context: PageContext) -> Get:
    """Sends a request as a browser on another machine, which is not logged in."""
    context.password.set(PASSWORD)
    app = make_app(context, [DESK])

    def send(path: str, cookie: str = "", query: str = "", method: str = "GET") -> Response:
        headers = {"host": DESK, "origin": f"http://{DESK}", "accept": "text/html"}
        headers |= {"cookie": cookie} if cookie else {}
        return call_app(app, method, path, headers=headers, query=query)

    return send


def test_token_opens_its_screen_and_nothing_else(context: PageContext, get: Get) -> None:
    assert get("/door/door1").headers["location"] == "/login?next=/door/door1"
    token = context.door_tokens.create("door1")
    opened = get("/door/door1", query=f"token={token}")
    assert (opened.status, opened.headers["location"]) == (303, "/door/door1")
    sent = opened.headers["set-cookie"]
    assert {"Path=/door/door1", "HttpOnly", "SameSite=lax"} <= set(sent.split("; "))
    cookie = sent.split(";")[0]
    page = get("/door/door1", cookie)
    assert page.status == 200
    assert token not in page.text
    for path in ("/door/door2", "/door/door1x"):
        refused = get(path, cookie)
        assert (refused.status, "is not valid" in refused.text) == (403, True)
    for path in ("/", "/history", "/health/door1/screen", "/door", "/door/door1/x", "/live"):
        assert get(path, cookie, query=f"token={token}").status in (303, 404), path
    assert get("/door/door1", cookie, method="POST").status == 401
    assert get("/static/common.js", cookie).status == 303
    for path in ("/static/door.js", "/static/door.css"):
        assert get(path).status == 200
    (stored,) = context.door_tokens.of("door1")
    context.door_tokens.revoke("door1", stored.name)
    assert get("/door/door1", cookie).status == 403
    assert get("/door/door1", query=f"token={token}").status == 403


def test_screen_needs_no_log_in_on_this_machine(context: PageContext) -> None:
    context.password.set(PASSWORD)
    app = make_app(context, [DESK])
    assert call_app(app, "GET", "/door/door1").status == 200
    # A proxy that is not configured forwards requests from elsewhere.
    forwarded = {"x-forwarded-for": "192.0.2.1", "accept": "text/html"}
    assert call_app(app, "GET", "/door/door1", headers=forwarded).status == 303
    assert call_app(app, "GET", "/health/door1/screen").status == 401


def test_page_contains_texts_and_legible_colours() -> None:
    settings = DoorScreenSettings(
        languages=("de", "ar"), colours=DoorColours(calm="#ffff00", alert="#b3141c"), speak=True
    )
    page = DoorPage.of(settings)
    data = json.loads(page.data)
    assert [language["lang"] for language in data["languages"]] == ["de", "ar"]
    assert data["languages"][0]["texts"]["no_mask"] == "Bitte Maske aufsetzen"
    assert data["colours"]["calm"] == ["#ffff00", "#000000"]
    assert data["colours"]["incorrect_mask"] == ["#b3141c", "#ffffff"]
    assert data["version"] == page.version
    assert DoorPage.of(DoorScreenSettings()).version != page.version


def test_text_is_black_or_white() -> None:
    assert [ink_on(colour) for colour in ("#000000", "#767676", "#777777", "#ffffff")] == [
        "#ffffff",
        "#000000",
        "#000000",
        "#000000",
    ]


def test_page_escapes_its_data(context: PageContext) -> None:
    app = make_app(context, password_on_loopback=False)
    text = call_app(app, "GET", "/door/door1").text
    (data,) = re.findall(r'data-page="([^"]*)"', text)
    assert json.loads(html.unescape(data))["languages"][0]["lang"] == "en"
    assert call_app(app, "GET", "/door/a%20b").status == 404


def test_links_are_made_and_revoked_on_a_page(app: ASGIApp, context: PageContext) -> None:
    path = "/health/door1/screen"
    assert call_app(app, "GET", path).status == 404
    assert call_app(app, "POST", path).status == 404
    context.live_state.apply_message(Message("door1", "online", 1.0))
    assert "No links." in call_app(app, "GET", path).text
    made = call_app(app, "POST", path).text
    (link,) = re.findall(r'<pre id="new"[^>]*>(.*)</pre>', made)
    address, _, token = link.partition("?token=")
    assert address == "http://localhost/door/door1"
    assert context.door_tokens.is_valid(token, "door1")
    shown = call_app(app, "GET", path).text
    assert token not in shown
    (stored,) = context.door_tokens.of("door1")
    assert stored.name in shown
    assert call_app(app, "POST", path, query=f"revoke={stored.name}").status == 303
    assert not context.door_tokens.is_valid(token, "door1")
