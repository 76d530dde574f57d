"""What the screen at a door shows: the rules, without input and output.

The device's report `state` says whether somebody is without a mask. It arrives at once, is
retained, and is right after a restart. The alerts add the label, and whether the mask was put on at
the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge.dashboard.live.device_state import DeviceState

DoorShows = Literal["off", "calm", "no_mask", "incorrect_mask", "thanks"]
ALERTS: frozenset[DoorShows] = frozenset({"no_mask", "incorrect_mask"})

#: After the device has reported that nobody is without a mask, the end of the alert, which says
#: whether the mask was put on, is expected for this long. The report overtakes the event, because
#: the event is stored first.
END_DELAY_S = 0.5
#: The reasons for not watching, by the condition of the device.
REASONS = {
    "offline": "the device is offline",
    "unknown": "the device has not reported its state",
}


@dataclass(frozen=True)
class DoorFacts:
    """What is known about a door; `why` is the reason if it is not watched, else empty."""

    why: str
    no_mask: bool = False
    #: The alerts of the device, as rows of `LiveState`.
    alerts: tuple[Mapping[str, Any], ...] = ()


def door_facts(
    device: DeviceState | None,
    alerts: Iterable[Mapping[str, Any]],
    link: Mapping[str, Any],
    ticks_s: float,
) -> DoorFacts:
    """Return what is known about the door of `device` at `ticks_s`.

    `alerts` are those of the device, and `link` is the connection to the broker.
    """
    if not link["connected"]:
        return DoorFacts("the broker cannot be reached")
    if device is None:
        return DoorFacts("no device of this name is known")
    condition, why = device.condition(ticks_s)
    if condition != "online":
        return DoorFacts(REASONS.get(condition, why))
    if device.state is None:
        return DoorFacts(REASONS["unknown"])
    return DoorFacts("", device.state.no_mask, tuple(alerts))


class DoorState:
    """Decides what one screen shows; times are seconds of a monotonic clock."""

    def __init__(self, thanks_s: float) -> None:
        """Show nothing yet; thank for `thanks_s` seconds."""
        self._thanks_s = thanks_s
        self._shows: DoorShows = "off"
        #: Episodes that were over when the present alert began.
        self._over: frozenset[str] = frozenset()
        #: When the device reported that nobody is without a mask, while the alert is still shown.
        self._cleared_at_s = math.nan
        self._thanks_until_s = -math.inf

    def update(self, facts: DoorFacts, ticks_s: float) -> DoorShows:
        """Return what to show at `ticks_s`."""
        self._shows = self._next(facts, ticks_s)
        return self._shows

    def changes_in_s(self, ticks_s: float) -> float:
        """Return after how many seconds the screen changes even without new facts, or infinity."""
        if self._shows == "thanks":
            return max(0.0, self._thanks_until_s - ticks_s)
        if not math.isnan(self._cleared_at_s):
            return max(0.0, self._cleared_at_s + END_DELAY_S - ticks_s)
        return math.inf

    def _next(self, facts: DoorFacts, ticks_s: float) -> DoorShows:
        if facts.why or facts.no_mask:
            self._cleared_at_s = math.nan
        if facts.why:
            return "off"
        if facts.no_mask:
            if self._shows not in ALERTS:
                self._over = frozenset(
                    alert["episode"] for alert in facts.alerts if not alert["ongoing"]
                )
            return self._label(facts)
        if self._shows in ALERTS:
            return self._end_of_alert(facts, ticks_s)
        return "thanks" if self._shows == "thanks" and ticks_s < self._thanks_until_s else "calm"

    def _label(self, facts: DoorFacts) -> DoorShows:
        labels = {alert["label"] for alert in facts.alerts if alert["ongoing"]}
        return "incorrect_mask" if labels == {"incorrect_mask"} else "no_mask"

    def _end_of_alert(self, facts: DoorFacts, ticks_s: float) -> DoorShows:
        """Return the alert again while its end may still arrive, else thanks or calm."""
        if math.isnan(self._cleared_at_s):
            self._cleared_at_s = ticks_s
        present = self._present(facts)
        ended = [alert for alert in present if alert["ended_s"] is not None]
        if len(ended) < max(1, len(present)) and ticks_s < self._cleared_at_s + END_DELAY_S:
            return self._shows
        self._cleared_at_s = math.nan
        last = max(ended, key=lambda alert: float(alert["ended_s"]), default=None)
        if last is None or last["ended_by"] != "masked":
            return "calm"
        self._thanks_until_s = ticks_s + self._thanks_s
        return "thanks"

    def _present(self, facts: DoorFacts) -> list[Mapping[str, Any]]:
        """Return the alerts that were not over when the present one began to be shown."""
        return [alert for alert in facts.alerts if alert["episode"] not in self._over]
