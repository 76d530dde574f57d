"""The Camera page: for aiming and tuning, on the device itself."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.common.errors import UserError
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.page_context import page_context

MAX_BYTES = 16 * 1024
MAX_CORNERS = 50
WRONG = (
    f"a zone has at most {MAX_CORNERS} corners, of two numbers from 0 to 1 each,"
    " and the smallest face is from 0.01 to 1"
)
Part = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Drawn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was drawn, as fractions of the picture; no `min_face`: as it is."""

    zone: Annotated[tuple[tuple[Part, Part], ...], msgspec.Meta(max_length=MAX_CORNERS)]
    min_face: Annotated[float, msgspec.Meta(ge=0.01, le=1.0)] | None = None


async def camera(request: Request) -> Response:
    """The page."""
    return page_context(request).page(request, "camera.html")


async def view(request: Request) -> Response:
    """What the device sees now."""
    try:
        sight = await run_in_threadpool(_camera(request).look)
    except UserError as error:
        return JSONResponse({"error": str(error)}, 503)
    body = dict(sight.told)
    if sight.picture is not None:
        body["picture"] = base64.b64encode(sight.picture).decode()
    return JSONResponse(body)


async def drawing(request: Request) -> Response:
    """GET: what the configuration says; POST: what it shall say, and says then. `use` tells, as
    below, what the daemon makes of it."""
    local = _camera(request)
    try:
        if request.method == "POST":
            wanted = msgspec.json.decode(await _body(request), type=Drawn)
            drawn, told = await run_in_threadpool(local.save, wanted.zone, wanted.min_face)
        else:
            told = await run_in_threadpool(local.use)
            drawn = await run_in_threadpool(local.drawn)
        return JSONResponse({**drawn, "use": asdict(told)})
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return JSONResponse({"error": WRONG}, 422)


async def use(request: Request) -> Response:
    """What the daemon makes of the configuration: see `edge.dashboard.local_camera.Use`."""
    try:
        return JSONResponse(asdict(await run_in_threadpool(_camera(request).use)))
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise UserError("the drawing is too large")
    return bytes(body)


def _camera(request: Request) -> LocalCamera:
    found = page_context(request).camera
    assert found is not None  # else there are no such pages
    return found


ROUTES = (
    Route("/camera", camera),
    Route("/camera/view", view),
    Route("/camera/use", use),
    Route("/camera/drawing", drawing, methods=["GET", "POST"]),
)
