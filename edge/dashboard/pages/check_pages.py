"""Pictures and webcam frames that people have checked: nothing of them is kept."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from edge.common.errors import UserError
from edge.dashboard.pages.page_context import page_context
from edge.dashboard.picture_check.result import MAX_PIXELS
from edge.dashboard.picture_check.worker_client import MAX_BYTES, BusyError, shown_name

MAX_FRAME_BYTES = 1024 * 1024
#: All of a picture must have come by then.
UPLOAD_S = 60.0
#: Pictures held in memory at a time; frames of webcams are small.
MAX_UPLOADS = 4


class _TooLargeError(Exception):
    pass


#: What is answered to what went wrong; the first that fits.
FAILURES: dict[type[Exception], tuple[int, str]] = {
    _TooLargeError: (413, "{name} is larger than {megabytes} MB"),
    BusyError: (503, "{error}"),
    UserError: (422, "{error}"),
    TimeoutError: (408, f"{{name}} did not arrive within {UPLOAD_S:g} s"),
}

_uploads = asyncio.Semaphore(MAX_UPLOADS)


async def check(request: Request) -> Response:
    """The page."""
    return page_context(request).page(
        request, "check.html", megabytes=MAX_BYTES // 2**20, megapixels=MAX_PIXELS // 10**6
    )


async def picture(request: Request) -> Response:
    """A picture as the body: its faces, and the annotated copy."""
    return await _look(request, MAX_BYTES, annotated=True)


async def frame(request: Request) -> Response:
    """A frame of a webcam as the body: its faces."""
    return await _look(request, MAX_FRAME_BYTES, annotated=False)


async def _look(request: Request, most: int, annotated: bool) -> Response:
    name = shown_name(unquote(request.headers.get("x-name", "")))
    if annotated and _uploads.locked():
        return _error("too many pictures at once: try again in a moment", 503)
    try:
        async with _uploads if annotated else contextlib.nullcontext():
            raw = await asyncio.wait_for(_body(request, most), UPLOAD_S)
            look = await run_in_threadpool(
                page_context(request).inspector.look, raw, name, annotated
            )
    except ClientDisconnect:
        return Response(status_code=400)
    except tuple(FAILURES) as error:
        status, text = next((s, t) for kind, (s, t) in FAILURES.items() if isinstance(error, kind))
        return _error(text.format(name=name, error=error, megabytes=most // 2**20), status)
    body = dict(look.record)
    if look.annotated is not None:
        body["annotated"] = base64.b64encode(look.annotated).decode()
    return JSONResponse(body)


async def _body(request: Request, most: int) -> bytes:
    """All of it, in memory; it ends at the first byte too many."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told[:20]) > most:
        raise _TooLargeError
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _TooLargeError
    return bytes(body)


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text[:1].upper() + text[1:] + "."}, status)
