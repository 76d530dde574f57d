"""The websocket of the live page: all there is at first, then what changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge.common.errors import UserError
from edge.dashboard.live.live_state import LiveState

log = logging.getLogger(__name__)

#: Changes gather for so long before they are sent; and so often something is sent in any case,
#: from which the page knows that it is still connected.
GATHER_S, BEAT_S = 0.15, 2.0
#: A page that takes nothing for so long is cut off; it will come back.
PATIENCE_S = 15.0
#: Whether it is still logged in is asked so often.
RECHECK_S = 30.0
MAX_PAGES = 100

_encode = msgspec.json.Encoder().encode


class LiveWebsocket:
    """Serves the websockets of all pages."""

    def __init__(self, board: LiveState) -> None:
        """`board` is what they show."""
        self._board = board
        self.pages = 0
        self._awake: set[asyncio.Event] = set()
        self._doubts = 0

    def recheck_access(self) -> None:
        """Somebody has logged out: ask at once which pages may go on. From the loop's thread."""
        self._doubts += 1
        for event in self._awake:
            event.set()

    async def serve(self, socket: WebSocket) -> None:
        """One page, as long as it is there."""
        if self.pages >= MAX_PAGES:
            await socket.close(1013)
            return
        await socket.accept()
        self.pages += 1
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(changed.set)

        leave = self._board.add_listener(tell)
        self._awake.add(changed)
        ended = asyncio.create_task(_until_closed(socket))
        try:
            await self._send_all(socket, changed, ended)
        except (WebSocketDisconnect, TimeoutError, RuntimeError, OSError):
            pass
        except (sa.exc.SQLAlchemyError, UserError) as error:
            log.error("a page is cut off: %s", getattr(error, "orig", None) or error)
        finally:
            leave()
            self._awake.discard(changed)
            ended.cancel()
            self.pages -= 1
            with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
                await socket.close(1001)

    async def _send_all(
        self, socket: WebSocket, changed: asyncio.Event, ended: asyncio.Task[None]
    ) -> None:
        version, checked_s, doubts = -1, time.monotonic(), self._doubts
        while not ended.done():
            changed.clear()
            version, news = self._board.changes_since(version)
            body: dict[str, Any] = {"now": time.time(), **news}
            await asyncio.wait_for(socket.send_text(_encode(body).decode()), PATIENCE_S)
            await asyncio.wait({ended}, timeout=GATHER_S)
            waiter = asyncio.create_task(changed.wait())
            await asyncio.wait({waiter, ended}, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            if self._doubts != doubts or time.monotonic() - checked_s > RECHECK_S:
                checked_s, doubts = time.monotonic(), self._doubts
                if not await socket.state.access.allows(socket):
                    await socket.close(4401)
                    return


async def _until_closed(socket: WebSocket) -> None:
    """Pages have nothing to say here; what they say is thrown away."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
