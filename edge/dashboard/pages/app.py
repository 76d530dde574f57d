"""The web application: which address is answered by what."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from edge.common.errors import UserError
from edge.dashboard.access.access import Access
from edge.dashboard.live.websocket import LiveWebsocket
from edge.dashboard.pages import (
    alert_pages,
    camera_pages,
    check_pages,
    health_pages,
    history_pages,
    login_pages,
)
from edge.dashboard.pages.page_context import FOLDER, PageContext, page_context

log = logging.getLogger(__name__)


def make_app(
    site: PageContext,
    names: Iterable[str] = (),
    password_on_loopback: bool = True,
    behind_proxy: bool = False,
) -> ASGIApp:
    """The application, with the door before it; see `Access` for the rest."""
    live = LiveWebsocket(site.board)

    async def serve_live(socket: WebSocket) -> None:
        await live.serve(socket)

    app = Starlette(
        routes=[
            Route("/", _live_page),
            WebSocketRoute("/live", serve_live),
            *alert_pages.ROUTES,
            Route("/history", history_pages.history),
            Route("/history.csv", history_pages.export),
            Route("/health", health_pages.health),
            Route("/health/{device}", health_pages.device),
            Route("/health/{device}/forget", health_pages.forget, methods=["GET", "POST"]),
            Route("/forget-silent", health_pages.forget_silent, methods=["GET", "POST"]),
            Route("/check", check_pages.check),
            Route("/check/picture", check_pages.picture, methods=["POST"]),
            Route("/check/frame", check_pages.frame, methods=["POST"]),
            Route("/login", login_pages.login, methods=["GET", "POST"]),
            Route("/setup", login_pages.setup, methods=["GET", "POST"]),
            Route("/logout", login_pages.logout, methods=["POST"]),
            *(camera_pages.ROUTES if site.camera else ()),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
        ],
        exception_handlers={
            HTTPException: _failed,
            sa.exc.SQLAlchemyError: _no_database,
            UserError: _cannot,
            Exception: _broken,
        },
    )
    app.state.site, app.state.live = site, live
    return Access(app, site.password, site.sessions, names, password_on_loopback, behind_proxy)


async def _live_page(request: Request) -> Response:
    return page_context(request).page(request, "live.html")


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = "There is no such page." if error.status_code == 404 else f"{error.detail}."
    return page_context(request).page(request, "missing.html", error.status_code, what=what)


async def _no_database(request: Request, error: Exception) -> Response:
    log.error("the database fails: %s", getattr(error, "orig", None) or error)
    what = "The history cannot be read just now: the database does not answer."
    return page_context(request).page(request, "missing.html", 503, what=what)


async def _cannot(request: Request, error: Exception) -> Response:
    """A file of ours, for one, cannot be read."""
    log.error("%s", error)
    what = "This cannot be done just now; the dashboard's log says why."
    return page_context(request).page(request, "missing.html", 503, what=what)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s failed unexpectedly", request.method, request.url.path, exc_info=error)
    what = "Something failed here; the dashboard's log says what."
    return page_context(request).page(request, "missing.html", 500, what=what)
