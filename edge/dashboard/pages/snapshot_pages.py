"""The Snapshots page: the pictures of alerts that the daemon on the same device has stored."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.common.errors import UserError
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.chosen_camera import camera_query, chosen_camera
from edge.dashboard.pages.page_context import page_context, sentence
from edge.events.snapshot import NAME, StoredSnapshot

PICTURES_PER_PAGE = 24
#: The largest number of a page: a longer text cannot be one.
MAX_PAGE = 100_000


async def snapshots(request: Request) -> Response:
    """Return the page, or how to turn it on."""
    local_camera = _local_camera(request)
    if local_camera is None or not local_camera.has_snapshots:
        return page_context(request).render_turned_off(request, "snapshots")
    stored: Sequence[StoredSnapshot] = ()
    problem, status = "", 200
    try:
        stored = await run_in_threadpool(local_camera.snapshots)
    except UserError as error:
        problem, status = sentence(str(error)), 503
    last_page = max(0, len(stored) - 1) // PICTURES_PER_PAGE
    page = min(_page_number(request), last_page)
    first = page * PICTURES_PER_PAGE
    cameras = page_context(request).local_cameras.values()
    return page_context(request).render(
        request, "snapshots.html", status, problem=problem, count=len(stored),
        shown=stored[first : first + PICTURES_PER_PAGE], page=page, last_page=last_page,
        cameras=[camera for camera in cameras if camera.has_snapshots],
        shown_camera=local_camera, query=camera_query(request, local_camera),
    )  # fmt: skip


async def picture(request: Request) -> Response:
    """Return one picture, as a JPEG."""
    local_camera, name = _local_camera(request), request.path_params["name"]
    if local_camera is None or not local_camera.has_snapshots or not NAME.fullmatch(name):
        return page_context(request).render_error(request, 404, "Page not found.")
    try:
        jpeg = await run_in_threadpool(local_camera.snapshot, name)
    except UserError as error:
        return page_context(request).render_error(request, 404, sentence(str(error)))
    return Response(jpeg, media_type="image/jpeg")


def _local_camera(request: Request) -> LocalCamera | None:
    """Return the camera that the request names, or else the first one with snapshots."""
    return chosen_camera(request, lambda camera: camera.has_snapshots)


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "")
    return min(int(text), MAX_PAGE) if text.isascii() and text.isdigit() and len(text) < 7 else 0


ROUTES = (Route("/camera/snapshots", snapshots), Route("/camera/snapshots/{name}.jpg", picture))
