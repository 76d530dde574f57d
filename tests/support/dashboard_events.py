"""Events as devices publish them, and what surrounds them."""

from __future__ import annotations

import json
import secrets
from typing import Any

from edge.common.clock import iso_utc
from edge.dashboard.base.messages import EventMessage
from edge.events.episode_id import new_episode_id

NOW_S = 1_790_000_000.0
MODEL = "sha256:" + "0" * 64


def episode(device: str = "door1") -> str:
    return new_episode_id(device, lambda: NOW_S, secrets.randbits)


def start(device: str = "door1", seq: int = 1, at_s: float = NOW_S, **more: Any) -> dict[str, Any]:
    """The body of a start, as the schema has it."""
    return {
        "schema": 1, "event_type": "no_mask_start", "id": episode(device), "seq": seq,
        "device": device, "camera": "entrance", "time": iso_utc(at_s), "clock_synced": True,
        "age_s": 0.03, "replayed": False, "label": "no_mask", "score": 0.93, "readings": 6,
        "box": [0.4, 0.2, 0.2, 0.3], "duration_s": None, "ended_by": None, "model": MODEL, **more,
    }  # fmt: skip


def end(
    of: dict[str, Any], seq: int, lasted_s: float = 4.0, ended_by: str = "left"
) -> dict[str, Any]:
    """The end of the alert that `of` began, `lasted_s` later."""
    from datetime import datetime

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
    kind: str = "no_mask_start",
    of: str | None = None,
    at_s: float = NOW_S,
    label: str = "no_mask",
) -> EventMessage:
    """An event as the intake gives it; `of` names the episode."""
    ended = kind == "no_mask_end"
    return EventMessage(
        device, "entrance", of or episode(device), kind, seq, at_s, at_s + 0.1,  # type: ignore[arg-type]
        True, False, label, 0.9, 6, 4.0 if ended else None, "left" if ended else None, MODEL,
    )  # fmt: skip
