"""What is said over MQTT: topics and JSON bodies, as the schema describes them."""

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
    """Who speaks: the same in every event of a run."""

    device: str
    camera: str
    model: str


def end_after_restart(start: PendingEvent, at: Moment) -> dict[str, Any]:
    """The end of an alert that a power cut or a crash left running: told at `at`, when the
    daemon is back; all but what the delivery knows."""
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
    """The body of an event as it goes out at `at`, over a connection made at `online_since`.

    A time that was told by a clock which was not set yet is put right, if it has been
    set since without a new start of the machine.
    """
    body = {**pending.payload, "seq": pending.seq}
    then = replace(pending.committed, synced=bool(body.get("clock_synced")))
    if (shift_s := correction_s(then, at)) is not None and not then.synced:
        told_s = datetime.fromisoformat(body["time"]).timestamp()
        body |= {"time": iso_utc(told_s + shift_s), "clock_synced": True}
    age = age_s(then, at)
    return {
        **body,
        "age_s": None if age is None else round(age, 3),
        # What cannot be told is older: it is from before the machine was started.
        "replayed": age is None or age > (age_s(online_since, at) or 0.0),
    }


def event_payload(
    event: Event, origin: Origin, utc: UtcClock, clock_synced: bool
) -> dict[str, Any]:
    """The body of an event, all but what the delivery knows: see `published_body`."""
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
