"""Acknowledging alerts: as many as are given, in one request."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.dashboard.pages.page_context import page_context

#: The live page shows fewer at a time.
MAX_EPISODES = 1000
MAX_BYTES = 128 * 1024
PATIENCE_S = 10.0

Episode = Annotated[str, msgspec.Meta(min_length=1, max_length=96, pattern=r"\A[A-Za-z0-9._-]+\Z")]


class Seen(msgspec.Struct, frozen=True):
    """The alerts that somebody has seen."""

    episodes: Annotated[list[Episode], msgspec.Meta(min_length=1, max_length=MAX_EPISODES)]


async def acknowledge(request: Request) -> Response:
    """Keeps who was seen; 404 when none of them is known, 422 for what is no list of them."""
    try:
        body = await asyncio.wait_for(_body(request), PATIENCE_S)
        seen = msgspec.json.decode(body, type=Seen)
    except (msgspec.MsgspecError, UnicodeDecodeError, TimeoutError):
        return JSONResponse({"error": "this is no list of alerts"}, 422)
    site = page_context(request)
    rows = await run_in_threadpool(site.store.acknowledge_alerts, seen.episodes, time.time())
    if not rows:
        return JSONResponse({"error": "the alerts are not known here any more"}, 404)
    site.board.update_alerts(rows)
    return JSONResponse({"acknowledged": len(rows)})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise msgspec.ValidationError("too long")
    return bytes(body)


ROUTES = (Route("/alerts/acknowledge", acknowledge, methods=["POST"]),)
