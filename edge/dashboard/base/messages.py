"""The messages of a device after validation: bounded and immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from edge.config.title import require_title

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Figure = Annotated[float, msgspec.Meta(ge=-1e9, le=1e12)]
Word = Annotated[str, msgspec.Meta(max_length=100)]
Line = Annotated[str, msgspec.Meta(max_length=600)]

#: If the time of a device is ahead of the dashboard's clock by more than this, it is wrong, even if
#: the device reports that its clock is synchronised.
MAX_CLOCK_AHEAD_S = 120.0


@dataclass(frozen=True)
class EventMessage:
    """One event. Times are seconds since the epoch.

    `at_s` is the best estimate of when the event happened, `received_s` is when it arrived here.
    """

    device: str
    camera: str
    episode: str
    event_type: Literal["no_mask_start", "no_mask_end"]
    seq: int
    at_s: float
    received_s: float
    clock_synced: bool
    replayed: bool
    label: str
    score: float
    readings: int
    duration_s: float | None
    ended_by: str | None
    model: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The people in view of the camera: the fields of `state` that the dashboard shows."""

    no_mask: bool
    people: Annotated[int, msgspec.Meta(ge=0, le=10_000)]
    paused: bool = False
    #: When `no_mask` last changed, by the clock of the device.
    since: Word | None = None


class Stage(msgspec.Struct, frozen=True):
    """Percentiles of the time that one stage takes, in milliseconds."""

    p50: Figure
    p95: Figure


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of `health` that the dashboard shows; devices with old software lack some."""

    camera: Word | None = None
    uptime_s: Figure | None = None
    fps: Figure | None = None
    frame_age_s: Figure | None = None
    frames_dropped: Count | None = None
    camera_reopened: Count | None = None
    stages_ms: Annotated[dict[Word, Stage], msgspec.Meta(max_length=20)] = msgspec.field(
        default_factory=dict
    )
    memory_mb: Figure | None = None
    temperature_c: Figure | None = None
    throttled: bool | None = None
    restarts: Count | None = None
    paused: bool | None = None
    outbox_depth: Count | None = None
    outbox_on_disk: bool | None = None
    events_dropped: Count | None = None
    warnings: Annotated[tuple[Line, ...], msgspec.Meta(max_length=20)] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The model that a device runs."""

    name: Word = ""
    digest: Word = ""


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """The camera of a device: its name in events, and its title for people."""

    name: Word = ""
    title: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError if `title` cannot be a title."""
        require_title(self.title)


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """Names, software and hardware of a device; devices with old software have no titles."""

    title: str = ""
    camera: Camera = msgspec.field(default_factory=Camera)
    version: Word = ""
    python: Word = ""
    runtime: Word = ""
    machine: Word = ""
    model: Model = msgspec.field(default_factory=Model)

    def __post_init__(self) -> None:
        """Raise ValueError if `title` cannot be a title."""
        require_title(self.title)


Body = EventMessage | Literal["online", "offline"] | State | Health | Info


@dataclass(frozen=True)
class Message:
    """A validated message of `device`; a message that is `retained` may be old."""

    device: str
    body: Body
    received_s: float
    retained: bool = field(default=False)
