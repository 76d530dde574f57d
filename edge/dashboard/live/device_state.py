"""The state of one device: its last messages, and the condition that follows from them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low
from typing import Any, Literal

from edge.dashboard.base.messages import MAX_CLOCK_AHEAD_S, Health, Info, Message, State

Condition = Literal["online", "offline", "stalled", "trouble", "paused", "unknown"]

#: In these conditions the present state is not known: the last messages are old or missing.
SILENT_CONDITIONS = frozenset({"offline", "stalled", "unknown"})
#: A device with the default settings sends a health report every 30 s. It counts as stalled when
#: three reports are missing: after this time, or after MISSED_REPORTS of its own intervals.
STALLED_AFTER_S = 100.0
MISSED_REPORTS = 3.2
DEFAULT_REPORT_EVERY_S = 30.0
#: The event that starts an alert and the `state` message of the same frame carry times that differ
#: by at most this.
MAX_STATE_DELAY_S = 5.0
#: The values of `camera` in a health report that are no problem.
CAMERA_OK = ("ok", "starting", None)


@dataclass
class DeviceState:
    """The last messages of a device, and when they arrived.

    Times in `…_s` are seconds since the epoch, by this machine's clock; they are shown and stored.
    Times in `…_ticks_s` are seconds of a monotonic clock. Every interval is a difference of two of
    them, so that a clock that is set does not change it.
    """

    name: str
    #: When the device was first listed, or when it last came online.
    known_ticks_s: float
    #: When the last message arrived; retained messages do not count, as they may be old.
    seen_s: float | None = None
    seen_ticks_s: float | None = None
    status: Literal["online", "offline"] | None = None
    state: State | None = None
    health: Health | None = None
    info: Info | None = None
    lost: int = 0
    #: A time at which the device saw nobody without a mask, 0 if there is none. Alerts that began
    #: earlier are over, even if the events that end them did not arrive.
    all_clear_s: float = 0.0
    #: When the last health report arrived.
    reported_s: float | None = None
    reported_ticks_s: float | None = None
    _intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    @property
    def names(self) -> Info:
        """The names and titles of the device and its camera, which are empty before its `info`."""
        return self.info or Info()

    @property
    def silence_limit_s(self) -> float:
        """For how long a device that works may be silent: until three reports are missing.

        The usual interval is the median, so that one long silence does not change it.
        """
        usual_s = median_low(self._intervals_s) if self._intervals_s else DEFAULT_REPORT_EVERY_S
        return max(STALLED_AFTER_S, MISSED_REPORTS * usual_s)

    def mark_seen(self, at_s: float, ticks_s: float) -> None:
        """Record that a message of the device arrived now."""
        self.seen_s, self.seen_ticks_s = at_s, ticks_s

    def heard_ticks_s(self) -> float:
        """Return when the last message arrived or, without one, when the device was listed."""
        return self.known_ticks_s if self.seen_ticks_s is None else self.seen_ticks_s

    def apply(self, message: Message, ticks_s: float) -> list[str]:
        """Update the state with a message that arrived at `ticks_s`.

        Return the problems that are new with it, as text.
        """
        if not message.retained:
            self.mark_seen(message.received_s, ticks_s)
        body, problems = message.body, []
        if isinstance(body, Health):
            self._record_report(message, body, ticks_s)
            before = self.health.warnings if self.health else ()
            problems = [warning for warning in body.warnings if warning not in before]
            self.health = body
        elif isinstance(body, State):
            self.state = body
            self.all_clear_s = _all_clear_s(body, message.received_s)
        elif isinstance(body, Info):
            self.info = body
        elif body in ("online", "offline"):
            if body == "offline" and self.status == "online":
                problems = ["went offline"]
            if body == "online" and self.status != "online":
                self.known_ticks_s = ticks_s
            self.status = body
        return problems

    def condition(self, ticks_s: float) -> tuple[Condition, str]:
        """Return the condition at `ticks_s`, and the reason as text (empty if there is none)."""
        if self.status == "offline":
            return "offline", ""
        silent_s = ticks_s - max(self.heard_ticks_s(), self.known_ticks_s)
        if self.status is None and self.health is None and self.state is None:
            return "unknown", "has not reported its state"
        if silent_s > self.silence_limit_s:
            return "stalled", "is connected but sends no messages"
        if self.health is not None and self.health.camera not in CAMERA_OK:
            return "trouble", f"camera: {self.health.camera}"
        if self.state is not None and self.state.paused:
            return "paused", "monitoring is paused"
        return "online", ""

    def page_row(self, ticks_s: float) -> dict[str, Any]:
        """Return the fields that the pages show at `ticks_s`."""
        condition, reason = self.condition(ticks_s)
        state, health, names = self.state, self.health, self.names
        return {
            "device": self.name,
            "title": names.title,
            "camera": names.camera.name,
            "camera_title": names.camera.title,
            "condition": condition,
            "why": reason,
            "seen_s": self.seen_s,
            "people": state.people if state else None,
            "no_mask": state.no_mask if state else None,
            "calm_s": self.all_clear_s,
            "waiting": health.outbox_depth if health else None,
            "fps": health.fps if health else None,
            "temperature_c": health.temperature_c if health else None,
            "lost": self.lost,
        }

    def figures_are_current(self, ticks_s: float) -> bool:
        """Return whether the figures of the last health report describe the device at `ticks_s`.

        They do not if the device is silent, if the report is older than a device may be silent, or
        if the broker stored it, so that its age is not known.
        """
        if self.reported_ticks_s is None or self.condition(ticks_s)[0] in SILENT_CONDITIONS:
            return False
        return ticks_s - self.reported_ticks_s <= self.silence_limit_s

    def figures_row(self) -> dict[str, Any]:
        """Return the last health report as a row of the table `figures`."""
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

    def _record_report(self, message: Message, body: Health, ticks_s: float) -> None:
        if message.retained:
            return
        if self.reported_ticks_s is not None:
            since_s = ticks_s - self.reported_ticks_s
            # A change of the camera and a start are reported at once, which says nothing of the
            # usual interval.
            is_change = self.health is not None and self.health.camera != body.camera
            is_start = body.uptime_s is not None and body.uptime_s < since_s
            if not is_change and not is_start:
                self._intervals_s.append(min(3600.0, max(1.0, since_s)))
        self.reported_s, self.reported_ticks_s = message.received_s, ticks_s


def _all_clear_s(state: State, received_s: float) -> float:
    """Return the latest time at which `state` reports nobody without a mask; 0 if unknown."""
    since_s = _parse_time_s(state.since)
    if not state.no_mask:
        return max(received_s, since_s)
    if since_s > received_s + MAX_CLOCK_AHEAD_S:
        return 0.0
    # There has been a person without a mask since `since`, so alerts that began before it are over.
    return since_s - MAX_STATE_DELAY_S


def _parse_time_s(text: str | None) -> float:
    """Return seconds since the epoch; 0 if `text` is not a date and time."""
    try:
        return datetime.fromisoformat((text or "").strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
