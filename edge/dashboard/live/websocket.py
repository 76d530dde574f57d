"""The websockets of the pages: each sends the complete state first, and then the changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge.common.errors import UserError
from edge.dashboard.live.live_state import LiveState

log = logging.getLogger(__name__)

#: For how long changes are collected before they are sent.
GATHER_S = 0.15
#: A message is sent at least this often, even without changes, so that the page can tell that it is
#: still connected.
HEARTBEAT_S = 2.0
#: If a message cannot be sent within this time, the websocket is closed; the page reconnects.
SEND_TIMEOUT_S = 15.0
#: How often each page's login session is checked.
RECHECK_S = 30.0
MAX_PAGES = 100
#: Close codes: the websocket protocol defines 1001 and 1013, and reserves 4000 to 4999 for
#: applications.
GOING_AWAY, TRY_AGAIN_LATER, NOT_LOGGED_IN = 1001, 1013, 4401

_encode = msgspec.json.Encoder().encode


class PageFeed(Protocol):
    """What is sent to one page."""

    def next_message(self) -> tuple[dict[str, Any], float]:
        """Return the body of the next message, and after how many seconds to ask again.

        It is also asked again after each change of the live state, and every HEARTBEAT_S.
        """

    async def allows(self, socket: WebSocket) -> bool:
        """Return whether the page still has access; raises SQLAlchemyError or UserError."""


class LiveFeed:
    """What is sent to a Live page: everything at first, and then the changes."""

    def __init__(self, live_state: LiveState) -> None:
        """Send the changes of `live_state`."""
        self._live_state = live_state
        self._version = -1

    def next_message(self) -> tuple[dict[str, Any], float]:
        """Return what has changed since the last call."""
        self._version, changes = self._live_state.changes_since(self._version)
        return {"now": time.time(), **changes}, math.inf

    async def allows(self, socket: WebSocket) -> bool:
        """Return whether the page is logged in, or needs no password."""
        return bool(await socket.state.access.allows(socket))


class LiveWebsocket:
    """Serves the websockets of all pages of one kind."""

    def __init__(self, live_state: LiveState) -> None:
        """Serve the changes of `live_state`."""
        self._live_state = live_state
        #: How many pages are connected.
        self.pages = 0
        self._wake_events: set[asyncio.Event] = set()
        self._recheck_requests = 0

    def recheck_access(self) -> None:
        """Check the login sessions of all pages now; call this from the event loop's thread."""
        self._recheck_requests += 1
        for event in self._wake_events:
            event.set()

    async def serve(self, socket: WebSocket, feed: PageFeed | None = None) -> None:
        """Serve one page until it disconnects; `feed` is None for a Live page."""
        if self.pages >= MAX_PAGES:
            await socket.close(TRY_AGAIN_LATER)
            return
        await socket.accept()
        self.pages += 1
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # raised if the event loop is closed
                loop.call_soon_threadsafe(changed.set)

        remove_listener = self._live_state.add_listener(notify)
        self._wake_events.add(changed)
        closed = asyncio.create_task(_wait_until_closed(socket))
        try:
            await self._send_changes(socket, feed or LiveFeed(self._live_state), changed, closed)
        except (WebSocketDisconnect, TimeoutError, RuntimeError, OSError):
            pass
        except (sa.exc.SQLAlchemyError, UserError) as error:
            log.error("closing the websocket of a page: %s", getattr(error, "orig", None) or error)
        finally:
            remove_listener()
            self._wake_events.discard(changed)
            closed.cancel()
            self.pages -= 1
            with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
                await socket.close(GOING_AWAY)

    async def _send_changes(
        self,
        socket: WebSocket,
        feed: PageFeed,
        changed: asyncio.Event,
        closed: asyncio.Task[None],
    ) -> None:
        checked_s, requests = time.monotonic(), self._recheck_requests
        while not closed.done():
            changed.clear()
            body, next_s = feed.next_message()
            await asyncio.wait_for(socket.send_text(_encode(body).decode()), SEND_TIMEOUT_S)
            await asyncio.wait({closed}, timeout=GATHER_S)
            waiter = asyncio.create_task(changed.wait())
            await asyncio.wait(
                {waiter, closed},
                timeout=min(HEARTBEAT_S, next_s),
                return_when=asyncio.FIRST_COMPLETED,
            )
            waiter.cancel()
            if self._recheck_requests != requests or time.monotonic() - checked_s > RECHECK_S:
                checked_s, requests = time.monotonic(), self._recheck_requests
                if not await feed.allows(socket):
                    await socket.close(NOT_LOGGED_IN)
                    return


async def _wait_until_closed(socket: WebSocket) -> None:
    """Read and ignore the messages of a page until it disconnects."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
