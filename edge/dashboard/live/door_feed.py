"""What is sent to the screen at a door: its state, and nothing about people or other doors."""

from __future__ import annotations

from typing import Any

from starlette.websockets import WebSocket

from edge.dashboard.live.door_state import DoorState, door_facts
from edge.dashboard.live.live_state import LiveState


class DoorFeed:
    """The messages to one screen."""

    def __init__(self, live_state: LiveState, device: str, thanks_s: float, version: str) -> None:
        """Send the state of `device`.

        `version` changes with the page; a page of another version loads itself again.
        """
        self._live_state = live_state
        self._device = device
        self._version = version
        self._state = DoorState(thanks_s)

    def next_message(self) -> tuple[dict[str, Any], float]:
        """Return the present state."""
        ticks_s = self._live_state.ticks()
        device = self._live_state.device(self._device)
        alerts = self._live_state.alerts_of(self._device)
        facts = door_facts(device, alerts, self._live_state.link(), ticks_s)
        shows = self._state.update(facts, ticks_s)
        body = {"shows": shows, "why": facts.why, "version": self._version}
        return body, self._state.changes_in_s(ticks_s)

    async def allows(self, socket: WebSocket) -> bool:
        """Return whether the screen still has access."""
        return bool(await socket.state.access.allows_door(socket, self._device))
