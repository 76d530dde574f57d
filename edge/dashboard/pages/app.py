"""The web application: the routes and the error pages."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
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
    display_pages,
    door_pages,
    health_pages,
    history_pages,
    login_pages,
    notification_pages,
    push_pages,
    snapshot_pages,
)
from edge.dashboard.pages.page_context import DASHBOARD_FOLDER, PageContext, page_context

log = logging.getLogger(__name__)

#: Answers from this size on are compressed, unless they are pictures. The length of a compressed
#: answer can reveal a secret in it to somebody who reads the network and makes the browser send
#: texts that the answer repeats, again and again (BREACH). No such answer contains a secret: the
#: tokens of sessions and screens are in cookies, requests from other sites are refused by their
#: `Origin` and not by a token in the form, and the pages show no password and no setup code. A new
#: link of a screen is shown once, in the answer to a POST, which other sites cannot send. The
#: cookies are `SameSite`, so that other sites cannot fetch pages with them unseen either.
MIN_COMPRESSED_BYTES = 1000


def make_app(
    context: PageContext,
    host_names: Iterable[str] = (),
    password_on_loopback: bool = True,
    behind_proxy: bool = False,
) -> ASGIApp:
    """Return the application behind the access check; see `Access` for the other arguments."""
    live = LiveWebsocket(context.live_state)

    async def serve_live(socket: WebSocket) -> None:
        await live.serve(socket)

    app = Starlette(
        routes=[
            Route("/", _live_page),
            Route("/alive", _alive),
            WebSocketRoute("/live", serve_live),
            *alert_pages.ROUTES,
            *history_pages.ROUTES,
            *health_pages.ROUTES,
            *door_pages.ROUTES,
            *display_pages.ROUTES,
            *notification_pages.ROUTES,
            *push_pages.ROUTES,
            *check_pages.ROUTES,
            *login_pages.ROUTES,
            camera_pages.PAGE_ROUTE,
            *(camera_pages.DATA_ROUTES if context.local_cameras else ()),
            *snapshot_pages.ROUTES,
            Mount("/static", StaticFiles(directory=DASHBOARD_FOLDER / "static")),
        ],
        exception_handlers={
            HTTPException: _http_error,
            ClientDisconnect: _client_gone,
            sa.exc.SQLAlchemyError: _database_error,
            UserError: _user_error,
            Exception: _unexpected_error,
        },
    )
    app.add_middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES, compresslevel=6)
    app.state.page_context, app.state.live = context, live
    app.state.doors = LiveWebsocket(context.live_state)
    return Access(
        app,
        context.password,
        context.login_sessions,
        host_names,
        password_on_loopback,
        behind_proxy,
        door_tokens=context.door_tokens,
        display_tokens=context.display_tokens,
    )


async def _live_page(request: Request) -> Response:
    return page_context(request).render(request, "live.html", display=False)


async def _alive(_request: Request) -> Response:
    """Answer a page of another origin, such as the one with which a screen at a door starts."""
    return Response(status_code=204, headers={"cross-origin-resource-policy": "cross-origin"})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "Page not found." if error.status_code == 404 else f"{error.detail}."
    return page_context(request).render_error(request, error.status_code, text)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """Answer a request whose client has disconnected before it was complete; nobody reads this."""
    return Response(status_code=400)


async def _database_error(request: Request, error: Exception) -> Response:
    log.error("the database failed: %s", getattr(error, "orig", None) or error)
    text = "The history cannot be read at the moment: the database does not answer."
    return page_context(request).render_error(request, 503, text)


async def _user_error(request: Request, error: Exception) -> Response:
    """Answer after an error such as a password file that cannot be read."""
    log.error("%s", error)
    text = "This is not possible at the moment. The dashboard's log contains the reason."
    return page_context(request).render_error(request, 503, text)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed unexpectedly", request.method, request.url.path, exc_info=error)
    text = "An internal error occurred. The dashboard's log contains the details."
    return page_context(request).render_error(request, 500, text)
