"""What is known of one device, and how it is: for a person at a glance."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low
from typing import Any, Literal

from edge.dashboard.base.messages import MAX_CLOCK_AHEAD_S, Health, Info, Message, State

Condition = Literal["online", "offline", "stalled", "trouble", "paused", "unknown"]

#: A device reports each half minute unless told otherwise: three reports missed and it hangs.
STALLED_AFTER_S = 100.0
REPORTS_MISSED = 3.2
#: An event and the state that it belongs to are of one frame; so much may be between them yet.
SLACK_S = 5.0
#: What `camera` of health says when there is nothing to say.
CAMERA_FINE = ("ok", "starting", None)


@dataclass
class DeviceState:
    """Times are seconds since the epoch, of our clock; `known_s` is since when we listen to it."""

    name: str
    known_s: float
    #: When it was heard last; what the broker had kept for us is no sign of life.
    seen_s: float | None = None
    status: Literal["online", "offline"] | None = None
    state: State | None = None
    health: Health | None = None
    info: Info | None = None
    lost: int = 0
    #: Nobody was bare-faced at this time, as it says itself: an alert that began before has
    #: ended, whatever became of its end. 0 when that is not known.
    calm_s: float = 0.0
    reported_s: float | None = None
    _intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def apply(self, message: Message) -> list[str]:
        """Note what it says; gives what is newly wrong, in words."""
        if not message.retained:
            self.seen_s = message.received_s
        body, news = message.body, []
        if isinstance(body, Health):
            self._note_report(message)
            before = self.health.warnings if self.health else ()
            news = [warning for warning in body.warnings if warning not in before]
            self.health = body
        elif isinstance(body, State):
            self.state = body
            since_s = _moment(body.since)
            # Who is bare-faced now began with that word or later, by the same clock.
            began_s = (
                since_s - SLACK_S if since_s <= message.received_s + MAX_CLOCK_AHEAD_S else 0.0
            )
            self.calm_s = began_s if body.no_mask else max(message.received_s, since_s)
        elif isinstance(body, Info):
            self.info = body
        elif body in ("online", "offline"):
            if body == "offline" and self.status == "online":
                news = ["went offline"]
            if body == "online" and self.status != "online":
                self.known_s = message.received_s
            self.status = body
        return news

    def condition(self, now_s: float) -> tuple[Condition, str]:
        """How it is, and why, in words (empty when there is nothing to add)."""
        if self.status == "offline":
            return "offline", ""
        heard_s = max(self.seen_s or 0.0, self.known_s)
        if self.status is None and self.health is None and self.state is None:
            return "unknown", "has not reported its state"
        if now_s - heard_s > max(STALLED_AFTER_S, REPORTS_MISSED * self._report_every_s()):
            return "stalled", "is connected but sends no messages"
        if self.health is not None and self.health.camera not in CAMERA_FINE:
            return "trouble", f"camera: {self.health.camera}"
        if self.state is not None and self.state.paused:
            return "paused", "monitoring is paused"
        return "online", ""

    def page_row(self, now_s: float) -> dict[str, Any]:
        """What the page shows of it."""
        condition, why = self.condition(now_s)
        state, health = self.state, self.health
        return {
            "device": self.name,
            "condition": condition,
            "why": why,
            "seen_s": self.seen_s,
            "people": state.people if state else None,
            "no_mask": state.no_mask if state else None,
            "calm_s": self.calm_s,
            "waiting": health.outbox_depth if health else None,
            "fps": health.fps if health else None,
            "temperature_c": health.temperature_c if health else None,
            "lost": self.lost,
        }

    def figures_row(self) -> dict[str, Any]:
        """What is kept over time of its last report, as a row of the table `figures`."""
        health = self.health or Health()
        frame = health.stages_ms.get("frame")
        return {
            "device": self.name,
            "at_s": self.reported_s,
            "fps": health.fps,
            "frame_ms": frame.p95 if frame else None,
            "temperature_c": health.temperature_c,
            "memory_mb": health.memory_mb,
            "outbox_depth": health.outbox_depth,
        }

    def _note_report(self, message: Message) -> None:
        if message.retained:
            return
        if self.reported_s is not None:
            since_s = message.received_s - self.reported_s
            self._intervals_s.append(min(3600.0, max(1.0, since_s)))
        self.reported_s = message.received_s

    def _report_every_s(self) -> float:
        """One long silence among them says nothing of the next."""
        return median_low(self._intervals_s) if self._intervals_s else 30.0


def _moment(text: str | None) -> float:
    """Seconds since the epoch; 0 for what is no time."""
    try:
        return datetime.fromisoformat((text or "").strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
