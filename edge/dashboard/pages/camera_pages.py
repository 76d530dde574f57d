"""The Camera page of the device on which the dashboard runs: for aiming and tuning."""

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
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

MAX_BYTES = 16 * 1024
MAX_CORNERS = 50
INVALID_DRAWING = (
    f"a zone has at most {MAX_CORNERS} corners, each two numbers from 0 to 1, and the smallest"
    " face is from 0.01 to 1"
)
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Drawing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The zone and the smallest face as fractions of the picture.

    Without `min_face` the smallest face stays unchanged.
    """

    zone: Annotated[tuple[tuple[Fraction, Fraction], ...], msgspec.Meta(max_length=MAX_CORNERS)]
    min_face: Annotated[float, msgspec.Meta(ge=0.01, le=1.0)] | None = None


async def camera(request: Request) -> Response:
    """Return the page."""
    return page_context(request).render(request, "camera.html")


async def view(request: Request) -> Response:
    """Return what the camera sees now, with the picture in base64."""
    try:
        current = await run_in_threadpool(_local_camera(request).view)
    except UserError as error:
        return JSONResponse({"error": str(error)}, 503)
    body = dict(current.description)
    if current.picture is not None:
        body["picture"] = base64.b64encode(current.picture).decode()
    return JSONResponse(body)


async def drawing(request: Request) -> Response:
    """Return the settings in the configuration file; POST saves them first.

    The key `use` of the answer is the status that the route `/camera/use` also returns.
    """
    local_camera = _local_camera(request)
    try:
        if request.method == "POST":
            body = await read_body(request, MAX_BYTES)
            wanted = msgspec.json.decode(body, type=Drawing)
            saved, status = await run_in_threadpool(local_camera.save, wanted.zone, wanted.min_face)
        else:
            status = await run_in_threadpool(local_camera.config_status)
            saved = await run_in_threadpool(local_camera.saved_settings)
        return JSONResponse({**saved, "use": asdict(status)})
    except BodyTooLargeError:
        return JSONResponse({"error": "the drawing is too large"}, 422)
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return JSONResponse({"error": INVALID_DRAWING}, 422)


async def use(request: Request) -> Response:
    """Return whether the daemon uses the settings in the file, as a `ConfigStatus`."""
    try:
        return JSONResponse(asdict(await run_in_threadpool(_local_camera(request).config_status)))
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)


def _local_camera(request: Request) -> LocalCamera:
    found = page_context(request).local_camera
    assert found is not None  # without a local camera these routes do not exist
    return found


ROUTES = (
    Route("/camera", camera),
    Route("/camera/view", view),
    Route("/camera/use", use),
    Route("/camera/drawing", drawing, methods=["GET", "POST"]),
)
