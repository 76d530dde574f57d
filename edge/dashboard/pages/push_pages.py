"""Web Push: subscribing a browser, removing it, and the files of the web application."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.dashboard.notify.push_subscriptions import BrowserSubscription
from edge.dashboard.pages.page_context import DASHBOARD_FOLDER, page_context
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

MAX_BYTES = 8 * 1024
BODY_TIMEOUT_S = 10.0
#: What browsers and systems call themselves in `User-Agent`, and their names. The order matters:
#: most browsers also name those that they are compatible with.
_BROWSERS = {
    "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox",
    "FxiOS": "Firefox", "Chrome": "Chrome", "CriOS": "Chrome", "Safari": "Safari",
}  # fmt: skip
_SYSTEMS = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows",
    "Macintosh": "macOS", "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


BodyT = TypeVar("BodyT", bound=msgspec.Struct)


class Endpoint(msgspec.Struct, frozen=True):
    """The address of a subscription that a browser has ended."""

    endpoint: str


async def subscribe(request: Request) -> Response:
    """Store the subscription of a browser; answers 422 if the body is none."""
    found = page_context(request).notifications
    if not found.push_key:
        return JSONResponse({"error": "no rule in [[notify]] has push = true"}, 404)
    new = await _read(request, BrowserSubscription)
    if new is None:
        return JSONResponse({"error": "the request does not contain a valid subscription"}, 422)
    name = browser_name(request.headers.get("user-agent", ""))
    await run_in_threadpool(found.subscriptions.add, new, found.push_key, name, time.time())
    return JSONResponse({"subscribed": name})


async def unsubscribe(request: Request) -> Response:
    """Delete the subscription of a browser; answers 422 if the body names none."""
    ended = await _read(request, Endpoint)
    if ended is None:
        return JSONResponse({"error": "the request does not contain a subscription"}, 422)
    found = page_context(request).notifications
    await run_in_threadpool(found.remove_endpoint, ended.endpoint)
    return JSONResponse({"subscribed": ""})


async def remove(request: Request) -> Response:
    """Delete a subscription that the page lists, such as that of a lost telephone."""
    found = page_context(request).notifications
    await run_in_threadpool(found.remove_browser, request.path_params["number"])
    return RedirectResponse("/notifications#browsers", 303)


async def service_worker(_request: Request) -> Response:
    """Return the script that shows messages; its path decides for which pages it works."""
    path = DASHBOARD_FOLDER / "static" / "service_worker.js"
    return FileResponse(path, media_type="text/javascript", headers={"cache-control": "no-cache"})


async def manifest(_request: Request) -> Response:
    """Return the description of the web application, which telephones can install."""
    path = DASHBOARD_FOLDER / "static" / "manifest.webmanifest"
    return FileResponse(path, media_type="application/manifest+json")


def browser_name(user_agent: str) -> str:
    """Return the name of a browser and its system, such as `Firefox on Android`."""
    words = set(re.findall(r"[A-Za-z]+", user_agent))
    browser = next((name for word, name in _BROWSERS.items() if word in words), "a browser")
    system = next((name for word, name in _SYSTEMS.items() if word in words), "")
    return f"{browser} on {system}" if system else browser


async def _read(request: Request, kind: type[BodyT]) -> BodyT | None:
    """Return the body as a `kind`, or None if it is none."""
    try:
        body = await asyncio.wait_for(read_body(request, MAX_BYTES), BODY_TIMEOUT_S)
        return msgspec.json.decode(body, type=kind)
    except (BodyTooLargeError, msgspec.MsgspecError, UnicodeDecodeError, TimeoutError):
        return None


ROUTES = (
    Route("/notifications/push", subscribe, methods=["POST"]),
    Route("/notifications/push/end", unsubscribe, methods=["POST"]),
    Route("/notifications/push/{number:int}/remove", remove, methods=["POST"]),
    Route("/service-worker.js", service_worker),
    Route("/manifest.webmanifest", manifest),
)
