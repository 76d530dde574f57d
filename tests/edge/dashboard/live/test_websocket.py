"""The websocket of the live page, over an ASGI connection in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.websockets import WebSocket

from edge.dashboard.live.live_state import LiveState
from edge.dashboard.live.websocket import (
    GOING_AWAY,
    MAX_PAGES,
    NOT_LOGGED_IN,
    TRY_AGAIN_LATER,
    LiveWebsocket,
)


class Page:
    """The page's side of a websocket; `allowed` is whether the page is logged in."""

    def __init__(self, live: LiveWebsocket, reads: bool = True) -> None:
        """Without `reads`, sending data to the page blocks for ever."""
        self.allowed = True
        self._reads = reads
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_page: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket", "path": "/live", "headers": [], "state": {"access": self},
        }  # fmt: skip
        socket = WebSocket(scope, self._to_server.get, self._take)  # type: ignore[arg-type]
        self._to_server.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(live.serve(socket))

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send" and not self._reads:
            await asyncio.Event().wait()
        await self._to_page.put(message)

    async def allows(self, _socket: WebSocket) -> bool:
        return self.allowed

    def send(self, text: str) -> None:
        self._to_server.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._to_page.get(), 20.0)

    async def changes(self) -> dict[str, Any]:
        """The body of the next message."""
        message = await self.receive()
        assert message["type"] == "websocket.send"
        return dict(json.loads(message["text"]))

    async def leave(self) -> None:
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._task, 20.0)


Scenario = Callable[[LiveState, LiveWebsocket], Awaitable[None]]


def play(scenario: Scenario) -> None:
    live_state = LiveState()

    async def run() -> None:
        await scenario(live_state, LiveWebsocket(live_state))

    asyncio.run(run())


def test_page_receives_the_state_and_then_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.live.websocket.HEARTBEAT_S", 60.0)

    async def scenario(state: LiveState, live: LiveWebsocket) -> None:
        page = Page(live)
        assert (await page.receive())["type"] == "websocket.accept"
        assert (await page.changes())["all"]
        page.send("ignored")
        state.set_connection(True, "")
        changes = await page.changes()
        assert changes.keys() == {"now", "link"}
        assert changes["link"]["connected"]
        assert live.pages == 1
        await page.leave()
        assert live.pages == 0

    play(scenario)


def test_heartbeat_is_sent_without_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.live.websocket.HEARTBEAT_S", 0.01)

    async def scenario(_: LiveState, live: LiveWebsocket) -> None:
        page = Page(live)
        await page.receive()
        await page.changes()
        assert (await page.changes()).keys() == {"now"}
        await page.leave()

    play(scenario)


def test_logout_closes_the_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.live.websocket.HEARTBEAT_S", 60.0)

    async def scenario(_: LiveState, live: LiveWebsocket) -> None:
        out, stays = Page(live), Page(live)
        for page in (out, stays):
            await page.receive()
            await page.changes()
        out.allowed = False
        live.recheck_access()
        assert await out.receive() == {
            "type": "websocket.close", "code": NOT_LOGGED_IN, "reason": "",
        }  # fmt: skip
        assert (await stays.changes()).keys() == {"now"}
        await stays.leave()

    play(scenario)


def test_surplus_page_is_sent_away() -> None:
    async def scenario(_: LiveState, live: LiveWebsocket) -> None:
        live.pages = MAX_PAGES
        page = Page(live)
        assert (await page.receive())["code"] == TRY_AGAIN_LATER
        assert live.pages == MAX_PAGES

    play(scenario)


def test_page_that_takes_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.live.websocket.SEND_TIMEOUT_S", 0.01)

    async def scenario(_: LiveState, live: LiveWebsocket) -> None:
        page = Page(live, reads=False)
        assert (await page.receive())["type"] == "websocket.accept"
        message = await page.receive()
        assert (message["type"], message["code"]) == ("websocket.close", GOING_AWAY)
        assert live.pages == 0

    play(scenario)
