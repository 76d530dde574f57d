"""Acknowledging alerts, taking that back, and notes: one request may change many alerts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.dashboard.base.typed_text import one_line
from edge.dashboard.history.store import AlertRow
from edge.dashboard.pages.page_context import PageContext, page_context
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

#: Maximum number of episodes in a request: more than the live page can show at once.
MAX_EPISODES = 1000
MAX_BYTES = 128 * 1024
BODY_TIMEOUT_S = 10.0
#: Maximum number of characters of a name and of a note; the rest is cut off.
MAX_NAME, MAX_NOTE = 80, 200
#: For how long an acknowledgement can be taken back: the ten seconds that the page offers it
#: (UNDO_S in acknowledge.js), and the time that the request may take.
UNDO_LIMIT_S = 10.0 + 5.0

Episode = Annotated[str, msgspec.Meta(min_length=1, max_length=96, pattern=r"\A[A-Za-z0-9._-]+\Z")]
Episodes = Annotated[list[Episode], msgspec.Meta(min_length=1, max_length=MAX_EPISODES)]


class Acknowledgement(msgspec.Struct, frozen=True):
    """The episodes whose alerts are acknowledged, and who does it."""

    episodes: Episodes
    name: str = ""


class Undo(msgspec.Struct, frozen=True):
    """The acknowledgement to take back: `at_s` is that of the answer to it."""

    episodes: Episodes
    at_s: float


class Note(msgspec.Struct, frozen=True):
    """The note of these alerts; empty to delete it."""

    episodes: Episodes
    note: str


Body = TypeVar("Body", Acknowledgement, Undo, Note)


async def acknowledge(request: Request) -> Response:
    """Store that alerts were acknowledged, and by whom.

    The answer has the time as `at_s`, and as `acknowledged` how many alerts this request
    acknowledged: others may have been acknowledged before.
    """
    body = await _read(request, Acknowledgement)
    if body is None:
        return _invalid()
    now_s, name = time.time(), one_line(body.name, MAX_NAME)
    context = page_context(request)
    rows = await _change(
        context, lambda: context.store.acknowledge_alerts(body.episodes, now_s, name)
    )
    own = sum(row["acknowledged_s"] == now_s for row in rows)
    return _answer(rows, at_s=now_s, acknowledged=own)


async def undo(request: Request) -> Response:
    """Take back an acknowledgement; answers 409 when it is too late for that."""
    body = await _read(request, Undo)
    if body is None:
        return _invalid()
    if time.time() - body.at_s > UNDO_LIMIT_S:
        error = "an acknowledgement can be taken back only in the first ten seconds"
        return JSONResponse({"error": error}, 409)
    context = page_context(request)
    return _answer(
        await _change(context, lambda: context.store.undo_acknowledgement(body.episodes, body.at_s))
    )


async def note(request: Request) -> Response:
    """Store the note of acknowledged alerts."""
    body = await _read(request, Note)
    if body is None:
        return _invalid()
    context, text = page_context(request), one_line(body.note, MAX_NOTE)
    return _answer(await _change(context, lambda: context.store.set_note(body.episodes, text)))


async def _read(request: Request, kind: type[Body]) -> Body | None:
    """Return the body of the request, or None if it is not of this kind."""
    try:
        raw = await asyncio.wait_for(read_body(request, MAX_BYTES), BODY_TIMEOUT_S)
        return msgspec.json.decode(raw, type=kind)
    except (BodyTooLargeError, msgspec.MsgspecError, UnicodeDecodeError, TimeoutError):
        return None


def _invalid() -> Response:
    return JSONResponse({"error": "the request does not contain a list of alerts"}, 422)


async def _change(
    context: PageContext, change: Callable[[], Sequence[AlertRow]]
) -> Sequence[AlertRow]:
    """Change alerts, show them, and return their present rows."""

    def change_and_show() -> Sequence[AlertRow]:
        with context.store.show_lock:
            rows = change()
            context.live_state.update_alerts(rows)
        return rows

    return await run_in_threadpool(change_and_show)


def _answer(rows: Sequence[AlertRow], **more: float) -> Response:
    """Answer how many alerts were found, and `more`; 404 when none of them is known."""
    if not rows:
        return JSONResponse({"error": "the history no longer contains these alerts"}, 404)
    return JSONResponse({"alerts": len(rows), **more})


ROUTES = (
    Route("/alerts/acknowledge", acknowledge, methods=["POST"]),
    Route("/alerts/undo", undo, methods=["POST"]),
    Route("/alerts/note", note, methods=["POST"]),
)
