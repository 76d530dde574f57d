"""The Camera page of the device on which the dashboard runs: for aiming and tuning."""

from __future__ import annotations

import base64
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.common.errors import UserError
from edge.daemon.camera_file import Drawing
from edge.daemon.preview_server import MAX_REQUEST_BYTES
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.chosen_camera import camera_query, chosen_camera
from edge.dashboard.pages.page_context import page_context
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

#: Largest accepted drawing: a few thousand excluded areas, which only a settings file has.
MAX_BYTES = MAX_REQUEST_BYTES // 2
INVALID_DRAWING = (
    "a corner of the zone is two numbers from 0 to 1, an excluded area four numbers from 0 to 1,"
    " and the smallest face is from 0.01 to 1"
)


class PostedDrawing(Drawing, frozen=True, kw_only=True):
    """A drawing as the page sends it."""

    min_face: Annotated[float, msgspec.Meta(ge=0.01, le=1.0)] | None = None


async def camera(request: Request) -> Response:
    """Return the page, or how to turn it on."""
    context, shown = page_context(request), chosen_camera(request)
    if shown is None:
        return context.render_turned_off(request, "camera")
    return context.render(
        request,
        "camera.html",
        cameras=context.local_cameras.values(),
        shown_camera=shown,
        query=camera_query(request, shown),
    )


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
    """Return the settings in the daemon's files; POST saves them first.

    The key `use` of the answer is the status that the route `/camera/use` also returns.
    """
    local_camera = _local_camera(request)
    try:
        if request.method == "POST":
            body = await read_body(request, MAX_BYTES)
            wanted = msgspec.json.decode(body, type=PostedDrawing)
            saved, status = await run_in_threadpool(local_camera.save, wanted)
        else:
            saved, status = await run_in_threadpool(local_camera.saved_drawing)
        answer = {**msgspec.to_builtins(saved), "use": msgspec.to_builtins(status)}
        return JSONResponse(answer)
    except BodyTooLargeError:
        return JSONResponse({"error": "the drawing is too large"}, 422)
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return JSONResponse({"error": INVALID_DRAWING}, 422)


async def use(request: Request) -> Response:
    """Return whether the daemon uses the settings in its files, as a `ConfigStatus`."""
    try:
        status = await run_in_threadpool(_local_camera(request).config_status)
        return JSONResponse(msgspec.to_builtins(status))
    except UserError as error:
        return JSONResponse({"error": str(error)}, 422)


def _local_camera(request: Request) -> LocalCamera:
    found = chosen_camera(request)
    assert found is not None  # without a local camera these routes do not exist
    return found


PAGE_ROUTE = Route("/camera", camera)
#: The requests of the page. Without a local camera, these routes must not exist.
DATA_ROUTES = (
    Route("/camera/view", view),
    Route("/camera/use", use),
    Route("/camera/drawing", drawing, methods=["GET", "POST"]),
)
