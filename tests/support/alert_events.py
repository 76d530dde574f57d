"""Events as the alert machine returns them."""

from __future__ import annotations

from edge.events.alert_machine import Event, EventType


def alert_event(event_type: EventType = "no_mask_start", episode: str = "door1-1") -> Event:
    """Return an event of one alert; the box is in the middle of the frame."""
    return Event(event_type, episode, 1.0, 0.93, 6, (0.4, 0.4, 0.2, 0.2))
