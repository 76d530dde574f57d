"""The live page of a display on a wall, its links, and what they open."""

from __future__ import annotations

import re

from starlette.types import ASGIApp

from edge.dashboard.access.access import DISPLAY_NAME
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.http_client import PASSWORD, Response, call_app


def test_link_opens_the_display_and_nothing_else(context: PageContext) -> None:
    context.password.set(PASSWORD)
    app = make_app(context)

    def get(path: str, cookie: str = "", query: str = "", method: str = "GET") -> Response:
        headers = {"accept": "text/html"} | ({"cookie": cookie} if cookie else {})
        return call_app(app, method, path, headers=headers, query=query)

    assert get("/display").headers["location"] == "/login?next=/display"
    token = context.display_tokens.create(DISPLAY_NAME)
    refused = get("/display", query=f"token={token[1:]}")
    assert (refused.status, "This link is not valid" in refused.text) == (403, True)
    opened = get("/display", query=f"token={token}&sound=on")
    assert (opened.status, opened.headers["location"]) == (303, "/display?sound=on")
    sent = opened.headers["set-cookie"]
    assert {"Max-Age=34560000", "HttpOnly", "SameSite=lax"} <= set(sent.split("; "))
    cookie = sent.split(";")[0]
    page = get("/display", cookie)
    assert page.status == 200
    assert page.headers["set-cookie"] == sent  # the cookie is renewed
    # The page changes nothing, and leads nowhere.
    assert re.findall(r"<(?:form|dialog|nav)", page.text) == []
    assert token not in page.text
    assert get("/static/live.js", cookie).status == 200
    for path in ("/", "/history", "/history.csv", "/health", "/check", "/screens", "/display/x"):
        assert get(path, cookie, query=f"token={token}").status == 303, path
    for path in ("/alerts/acknowledge", "/alerts/undo", "/alerts/note", "/display", "/screens"):
        assert get(path, cookie, method="POST").status == 401, path
    door = context.door_tokens.create("door1")
    assert get("/display", query=f"token={door}").status == 403
    (stored,) = context.display_tokens.of(DISPLAY_NAME)
    context.display_tokens.revoke(DISPLAY_NAME, stored.name)
    assert get("/display", cookie).status == 403
    assert get("/static/live.js", cookie).status == 303


def test_links_are_made_and_revoked_on_a_page(app: ASGIApp, context: PageContext) -> None:
    assert "No links." in call_app(app, "GET", "/screens").text
    made = call_app(app, "POST", "/screens").text
    (link,) = re.findall(r'<pre id="new"[^>]*>(.*)</pre>', made)
    address, _, token = link.partition("?token=")
    assert address == "http://localhost/display"
    assert context.display_tokens.is_valid(token, DISPLAY_NAME)
    shown = call_app(app, "GET", "/screens").text
    assert token not in shown
    (stored,) = context.display_tokens.of(DISPLAY_NAME)
    assert stored.name in shown
    assert call_app(app, "POST", "/screens", query=f"revoke={stored.name}").status == 303
    assert not context.display_tokens.is_valid(token, DISPLAY_NAME)
