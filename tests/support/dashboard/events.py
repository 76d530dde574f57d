"""Events as devices publish them, and as the dashboard decodes them."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any, Literal

from edge.common.clock import iso_utc
from edge.dashboard.base.messages import EventMessage
from edge.events.episode_id import new_episode_id

NOW_S = 1_790_000_000.0
MODEL = "sha256:" + "0" * 64


def episode(device: str = "door1") -> str:
    """Return a new episode ID."""
    return new_episode_id(device, lambda: NOW_S, secrets.randbits)


def start(device: str = "door1", seq: int = 1, at_s: float = NOW_S, **more: Any) -> dict[str, Any]:
    """Return the body of a `no_mask_start` event, valid against the schema."""
    return {
        "schema": 1, "event_type": "no_mask_start", "id": episode(device), "seq": seq,
        "device": device, "camera": "entrance", "time": iso_utc(at_s), "clock_synced": True,
        "age_s": 0.03, "replayed": False, "label": "no_mask", "score": 0.93, "readings": 6,
        "box": [0.4, 0.2, 0.2, 0.3], "duration_s": None, "ended_by": None, "model": MODEL, **more,
    }  # fmt: skip


def end(
    of: dict[str, Any], seq: int, lasted_s: float = 4.0, ended_by: str = "left"
) -> dict[str, Any]:
    """Return the body of the event that ends the alert `of`, `lasted_s` seconds after its start."""
    at_s = datetime.fromisoformat(of["time"]).timestamp() + lasted_s
    return {
        **of, "event_type": "no_mask_end", "seq": seq, "time": iso_utc(at_s),
        "duration_s": lasted_s, "ended_by": ended_by,
    }  # fmt: skip


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def message(
    device: str = "door1",
    seq: int = 1,
    kind: Literal["no_mask_start", "no_mask_end"] = "no_mask_start",
    of: str | None = None,
    at_s: float = NOW_S,
    label: str = "no_mask",
) -> EventMessage:
    """Return a decoded event of the episode `of`, or of a new episode if `of` is None."""
    ended = kind == "no_mask_end"
    return EventMessage(
        device, "entrance", of or episode(device), kind, seq, at_s, at_s + 0.1,
        True, False, label, 0.9, 6, 4.0 if ended else None, "left" if ended else None, MODEL,
    )  # fmt: skip


def visit(number: int, device: str = "door1", at_s: float = NOW_S) -> list[EventMessage]:
    """Return the start and the end event of the device's alert `number`, counted from 1."""
    of = episode(device)
    return [
        message(device, 2 * number - 1, of=of, at_s=at_s),
        message(device, 2 * number, "no_mask_end", of, at_s + 4.0),
    ]
