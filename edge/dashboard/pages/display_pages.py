"""The live page for a display on a wall, and the page with its links.

A display is not logged in: the token in its link never expires, opens this page alone, and changes
nothing.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from edge import __version__
from edge.dashboard.access.access import DISPLAY_COOKIE, DISPLAY_NAME, DISPLAY_PATH, is_secure
from edge.dashboard.live.websocket import LiveFeed
from edge.dashboard.pages.page_context import PageContext, page_context

#: Browsers keep no cookie for longer; the page renews it once a day.
COOKIE_S = 400 * 86_400
LINKS_PATH = "/screens"
#: The setting of the sound in a link.
SOUND = ("on", "off")


class DisplayFeed(LiveFeed):
    """What is sent to a display: the same as to a Live page, and the version of the dashboard.

    Nobody reloads a display: it loads its page again when the version has changed.
    """

    def next_message(self) -> tuple[dict[str, Any], float]:
        """Return what has changed since the last call, and the version."""
        body, next_s = super().next_message()
        return {**body, "version": __version__}, next_s

    async def allows(self, socket: WebSocket) -> bool:
        """Return whether the link of the display is still valid, or its browser logged in."""
        return bool(await socket.state.access.allows_display(socket))


async def display(request: Request) -> Response:
    """Return the page; a token in its link is moved into a cookie, so that nobody can read it."""
    context = page_context(request)
    sound = request.query_params.get("sound")
    if token := request.query_params.get("token"):
        target = f"{DISPLAY_PATH}?sound={sound}" if sound in SOUND else DISPLAY_PATH
        return await _with_cookie(context, request, RedirectResponse(target, 303), token)
    page = context.render(request, "live.html", display=True)
    return await _with_cookie(context, request, page, request.cookies.get(DISPLAY_COOKIE, ""))


async def serve_live(socket: WebSocket) -> None:
    """Send the state and its changes until the page disconnects."""
    await socket.app.state.live.serve(socket, DisplayFeed(page_context(socket).live_state))


async def links(request: Request) -> Response:
    """Return the page with the links; POST makes a link, or revokes one."""
    tokens, new = page_context(request).display_tokens, ""
    if request.method == "POST":
        if revoked := request.query_params.get("revoke"):
            await run_in_threadpool(tokens.revoke, DISPLAY_NAME, revoked)
            request.app.state.live.recheck_access()
            return RedirectResponse(LINKS_PATH, 303)
        token = await run_in_threadpool(tokens.create, DISPLAY_NAME)
        new = f"{request.url.scheme}://{request.headers['host']}{DISPLAY_PATH}?token={token}"
    stored = await run_in_threadpool(tokens.of, DISPLAY_NAME)
    return page_context(request).render(request, "display_links.html", new=new, tokens=stored)


async def _with_cookie(
    context: PageContext, request: Request, response: Response, token: str
) -> Response:
    """Return `response` with the cookie of a valid `token`, which is valid as long as possible."""
    if await run_in_threadpool(context.display_tokens.is_valid, token, DISPLAY_NAME):
        response.set_cookie(
            DISPLAY_COOKIE,
            token,
            max_age=COOKIE_S,
            httponly=True,
            samesite="lax",
            secure=is_secure(request.scope),
        )
    return response


ROUTES = (
    Route(DISPLAY_PATH, display),
    WebSocketRoute(f"{DISPLAY_PATH}/live", serve_live),
    Route(LINKS_PATH, links, methods=["GET", "POST"]),
)
