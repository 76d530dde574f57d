"""Topics and the JSON bodies of events, as the JSON Schema describes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.common.clock import Moment, UtcClock, age_s, correction_s, iso_utc
from edge.events.alert_machine import Event

if TYPE_CHECKING:
    from edge.outbox.tables import PendingEvent

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Topics:
    """The topics of one device below `base`."""

    base: str
    device: str

    def __getitem__(self, leaf: str) -> str:
        return f"{self.base}/{self.device}/{leaf}"


@dataclass(frozen=True)
class Origin:
    """The device, camera and model that an event comes from; the same in every event of a run."""

    device: str
    camera: str
    model: str


def end_after_restart(start: PendingEvent, at: Moment) -> dict[str, Any]:
    """Return the end event of an alert that a power cut or a crash left running.

    `start` is the alert's start event and `at` the time when the daemon runs again. The body lacks
    the keys that `published_body` adds.
    """
    lasted_s = age_s(start.committed, at)
    return {
        **start.payload,
        "event_type": "no_mask_end",
        "time": iso_utc(at.utc_s),
        "clock_synced": at.synced,
        "duration_s": None if lasted_s is None else round(lasted_s, 3),
        "ended_by": "shutdown",
    }


def published_body(pending: PendingEvent, online_since: Moment, at: Moment) -> dict[str, Any]:
    """Return the body of an event that is published at `at`.

    `online_since` is when the connection was made. If the clock was not set when the event
    happened, but has been set since then without a reboot, the event's time is corrected.
    """
    body = {**pending.payload, "seq": pending.seq}
    then = replace(pending.committed, synced=bool(body.get("clock_synced")))
    if (shift_s := correction_s(then, at)) is not None and not then.synced:
        uncorrected_s = datetime.fromisoformat(body["time"]).timestamp()
        body |= {"time": iso_utc(uncorrected_s + shift_s), "clock_synced": True}
    age = age_s(then, at)
    return {
        **body,
        "age_s": None if age is None else round(age, 3),
        # An unknown age means that the event is from before a reboot.
        "replayed": age is None or age > (age_s(online_since, at) or 0.0),
    }


def event_payload(
    event: Event, origin: Origin, utc: UtcClock, clock_synced: bool
) -> dict[str, Any]:
    """Return the body of an event without the keys that `published_body` adds."""
    return {
        "schema": SCHEMA_VERSION,
        "event_type": event.event_type,
        "id": event.episode,
        "device": origin.device,
        "camera": origin.camera,
        "time": utc.at(event.at_s),
        "clock_synced": clock_synced,
        "label": event.label,
        "score": round(event.score, 4),
        "readings": event.readings,
        "box": [round(v, 4) for v in event.box],
        "duration_s": None if event.duration_s is None else round(event.duration_s, 3),
        "ended_by": event.ended_by,
        "model": origin.model,
    }
