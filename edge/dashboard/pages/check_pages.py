"""The Check page: checks uploaded pictures and webcam frames; nothing is stored."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.common.errors import UserError
from edge.dashboard.pages.page_context import page_context, sentence
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body
from edge.dashboard.picture_check.result import MAX_PIXELS
from edge.dashboard.picture_check.worker_client import (
    MAX_BYTES,
    UNNAMED,
    BusyError,
    display_name,
)

MAX_FRAME_BYTES = 1024 * 1024
#: A complete picture must arrive within this time.
UPLOAD_TIMEOUT_S = 60.0
#: Maximum number of uploaded pictures in memory. Webcam frames are small and not counted.
MAX_UPLOADS = 4

#: Status and text of the answer to each kind of error; the first kind that matches is used.
FAILURES: dict[type[Exception], tuple[int, str]] = {
    BodyTooLargeError: (413, "{name} is larger than {megabytes} MB"),
    BusyError: (503, "{error}"),
    UserError: (422, "{error}"),
    TimeoutError: (408, f"{{name}} did not arrive within {UPLOAD_TIMEOUT_S:g} s"),
}

_uploads = asyncio.Semaphore(MAX_UPLOADS)


async def check(request: Request) -> Response:
    """Return the page."""
    return page_context(request).render(
        request, "check.html", max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS
    )


async def picture(request: Request) -> Response:
    """Check the picture in the body; return its faces and the annotated picture."""
    return await _check_body(request, MAX_BYTES, annotated=True)


async def frame(request: Request) -> Response:
    """Check the webcam frame in the body; return its faces."""
    return await _check_body(request, MAX_FRAME_BYTES, annotated=False)


async def _check_body(request: Request, max_bytes: int, annotated: bool) -> Response:
    name = display_name(unquote(request.headers.get("x-name", "")))
    if annotated and _uploads.locked():
        return _error("too many pictures at once: try again in a moment", 503)
    try:
        async with _uploads if annotated else contextlib.nullcontext():
            raw = await asyncio.wait_for(read_body(request, max_bytes), UPLOAD_TIMEOUT_S)
            checker = page_context(request).picture_checker
            result = await run_in_threadpool(checker.check, raw, name, annotated)
    except ClientDisconnect:
        return Response(status_code=400)
    except tuple(FAILURES) as error:
        status, text = next((s, t) for kind, (s, t) in FAILURES.items() if isinstance(error, kind))
        return _error(
            text.format(name=name, error=error, megabytes=max_bytes // 2**20), status, name
        )
    body = dict(result.record)
    if result.annotated is not None:
        body["annotated"] = base64.b64encode(result.annotated).decode()
    return JSONResponse(body)


def _error(text: str, status: int, name: str = UNNAMED) -> Response:
    """Return `text` as a sentence; a file name at its beginning keeps its case."""
    starts_with_file_name = name != UNNAMED and text.startswith(name)
    return JSONResponse({"error": f"{text}." if starts_with_file_name else sentence(text)}, status)


ROUTES = (
    Route("/check", check),
    Route("/check/picture", picture, methods=["POST"]),
    Route("/check/frame", frame, methods=["POST"]),
)
