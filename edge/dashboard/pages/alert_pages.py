"""Acknowledging alerts: one request may acknowledge many."""

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
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

#: Maximum number of episodes in a request: more than the live page can show at once.
MAX_EPISODES = 1000
MAX_BYTES = 128 * 1024
BODY_TIMEOUT_S = 10.0

Episode = Annotated[str, msgspec.Meta(min_length=1, max_length=96, pattern=r"\A[A-Za-z0-9._-]+\Z")]


class Acknowledgement(msgspec.Struct, frozen=True):
    """The body of the request: the episodes whose alerts are acknowledged."""

    episodes: Annotated[list[Episode], msgspec.Meta(min_length=1, max_length=MAX_EPISODES)]


async def acknowledge(request: Request) -> Response:
    """Store that alerts were acknowledged.

    Answers 404 when none of the alerts is known, and 422 when the body is not a list of alerts.
    """
    try:
        body = await asyncio.wait_for(read_body(request, MAX_BYTES), BODY_TIMEOUT_S)
        acknowledgement = msgspec.json.decode(body, type=Acknowledgement)
    except (BodyTooLargeError, msgspec.MsgspecError, UnicodeDecodeError, TimeoutError):
        return JSONResponse({"error": "the request does not contain a list of alerts"}, 422)
    context = page_context(request)
    rows = await run_in_threadpool(
        context.store.acknowledge_alerts, acknowledgement.episodes, time.time()
    )
    if not rows:
        return JSONResponse({"error": "the history no longer contains these alerts"}, 404)
    context.live_state.update_alerts(rows)
    return JSONResponse({"acknowledged": len(rows)})


ROUTES = (Route("/alerts/acknowledge", acknowledge, methods=["POST"]),)
