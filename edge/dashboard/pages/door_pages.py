"""The screen at a door, and the page with its links for browsers on other machines."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from edge import __version__
from edge.config.door_screen import DoorScreenSettings, ink_on
from edge.dashboard.access.access import DOOR_COOKIE, is_secure
from edge.dashboard.ingest.validation import DEVICE_NAME
from edge.dashboard.live.door_feed import DoorFeed
from edge.dashboard.pages.health_pages import NO_DEVICE
from edge.dashboard.pages.page_context import page_context

#: Browsers keep no cookie for longer.
COOKIE_S = 400 * 86_400


@dataclass(frozen=True)
class DoorPage:
    """What the script of the page needs, as JSON, and a text that changes with it."""

    data: str
    version: str

    @staticmethod
    def of(settings: DoorScreenSettings) -> DoorPage:
        """Return the page for the settings."""
        colours = settings.colours
        backgrounds = {
            "calm": colours.calm,
            "no_mask": colours.alert,
            "incorrect_mask": colours.alert,
            "thanks": colours.thanks,
            "off": colours.off,
        }
        data = {
            "languages": [
                {"lang": language, "texts": asdict(settings.texts_in(language))}
                for language in settings.languages
            ],
            "language_s": settings.language_s,
            "speak": settings.speak,
            "colours": {name: (colour, ink_on(colour)) for name, colour in backgrounds.items()},
        }
        digest = hashlib.sha256(f"{__version__} {json.dumps(data)}".encode()).hexdigest()
        return DoorPage(json.dumps({**data, "version": digest[:16]}), digest[:16])


async def door(request: Request) -> Response:
    """Return the page; a token in its link is moved into a cookie, so that nobody can read it."""
    context, device = page_context(request), request.path_params["device"]
    if not DEVICE_NAME.fullmatch(device):
        return context.render_error(request, 404, NO_DEVICE)
    if token := request.query_params.get("token"):
        response = RedirectResponse(request.url.path, 303)
        if await run_in_threadpool(context.door_tokens.is_valid, token, device):
            # Not `strict`: the browser of a kiosk comes from a page in a file.
            response.set_cookie(
                DOOR_COOKIE,
                token,
                max_age=COOKIE_S,
                path=request.url.path,
                httponly=True,
                samesite="lax",
                secure=is_secure(request.scope),
            )
        return response
    page = DoorPage.of(context.door_screen)
    return context.render(request, "door.html", device=device, page=page.data)


async def serve_state(socket: WebSocket) -> None:
    """Send the state of the door until the page disconnects."""
    context = page_context(socket)
    settings = context.door_screen
    feed = DoorFeed(
        context.live_state,
        socket.path_params["device"],
        settings.thanks_s,
        DoorPage.of(settings).version,
    )
    await socket.app.state.doors.serve(socket, feed)


async def links(request: Request) -> Response:
    """Return the page with the links of a door's screen; POST makes a link, or revokes one."""
    context, device = page_context(request), request.path_params["device"]
    if not DEVICE_NAME.fullmatch(device) or context.live_state.device(device) is None:
        return context.render_error(request, 404, NO_DEVICE)
    path, new = f"/door/{device}", ""
    if request.method == "POST":
        if revoked := request.query_params.get("revoke"):
            await run_in_threadpool(context.door_tokens.revoke, device, revoked)
            request.app.state.doors.recheck_access()
            return RedirectResponse(request.url.path, 303)
        token = await run_in_threadpool(context.door_tokens.create, device)
        new = f"{request.url.scheme}://{request.headers['host']}{path}?token={token}"
    tokens = await run_in_threadpool(context.door_tokens.of, device)
    return context.render(
        request, "door_links.html", device=device, door_path=path, new=new, tokens=tokens
    )


ROUTES = (
    Route("/door/{device}", door),
    WebSocketRoute("/door/{device}/state", serve_state),
    Route("/health/{device}/screen", links, methods=["GET", "POST"]),
)
