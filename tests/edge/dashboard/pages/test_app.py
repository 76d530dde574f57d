"""The routes and the error pages of the application."""

from __future__ import annotations

import gzip
import logging

import pytest
from starlette.types import ASGIApp

from edge.dashboard.history.tables import metadata
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.http_client import call_app


@pytest.mark.parametrize(
    "path", ["/", "/history", "/health", "/check", "/camera", "/forget-silent"]
)
def test_every_page_is_served(app: ASGIApp, path: str) -> None:
    response = call_app(app, "GET", path)
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/html")
    assert '<html lang="en">' in response.text


def test_answers_are_compressed_for_browsers_that_accept_it(app: ASGIApp) -> None:
    for path in ("/health", "/static/style.css", "/history.csv"):
        plain = call_app(app, "GET", path)
        packed = call_app(app, "GET", path, headers={"accept-encoding": "gzip, br"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in packed.headers["vary"].lower()
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["content-security-policy"]


def test_unknown_page_is_reported(app: ASGIApp) -> None:
    response = call_app(app, "GET", "/nothing")
    assert response.status == 404
    assert "Page not found." in response.text


def test_wrong_method_is_reported(app: ASGIApp) -> None:
    response = call_app(app, "POST", "/history")
    assert response.status == 405
    assert "Method Not Allowed." in response.text


def test_database_failure_is_reported(
    app: ASGIApp, context: PageContext, caplog: pytest.LogCaptureFixture
) -> None:
    metadata.drop_all(context.store._engine)
    response = call_app(app, "GET", "/history")
    assert response.status == 503
    assert "The history cannot be read at the moment" in response.text
    assert "the database failed" in caplog.text


def test_unexpected_error_is_logged_and_hidden(
    app: ASGIApp, context: PageContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.history = None  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR), pytest.raises(AttributeError):
        call_app(app, "GET", "/history")
    assert "GET /history failed unexpectedly" in caplog.text


@pytest.mark.parametrize(
    ("path", "lines"),
    [("/camera", ["preview = true"]), ("/camera/snapshots", ["preview = true", "enabled = true"])],
)
def test_page_that_is_off_says_how_to_turn_it_on(
    context: PageContext, path: str, lines: list[str]
) -> None:
    context.local_cameras = {}
    app = make_app(context, password_on_loopback=False)
    response = call_app(app, "GET", path)
    assert response.status == 404
    for line in [*lines, "restart mask-patrol mask-patrol-dashboard"]:
        assert line in response.text
    for request in (
        "/camera/view",
        "/camera/use",
        "/camera/drawing",
        "/camera/snapshots/door1-1.jpg",
    ):
        assert "Page not found." in call_app(app, "GET", request).text


@pytest.mark.parametrize("path", ["/", "/history", "/health"])
def test_empty_page_names_the_broker_the_topic_and_the_next_step(app: ASGIApp, path: str) -> None:
    text = call_app(app, "GET", path).text
    for part in ("broker.example:1883", "maskpatrol/", "Next step"):
        assert part in text
