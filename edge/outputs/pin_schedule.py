"""When one pin is on: a pure state machine over the events of alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event


@dataclass(frozen=True)
class Level:
    """Whether a pin is on, and the time at which that may change; inf: with the next event."""

    on: bool
    until_s: float = math.inf


def concerns(settings: OutputSettings, label: str) -> bool:
    """Return whether an output is for the alerts of `label`."""
    return not settings.labels or label in settings.labels


class PinSchedule:
    """The levels of one pin. Times are seconds on a clock that never goes backwards."""

    def __init__(self, settings: OutputSettings, running: Mapping[str, str], now_s: float) -> None:
        """Start with the alerts that are `running`: their labels by their episodes.

        They switch a pin on that is on while an alert runs, and cause no pulse.
        """
        self._settings = settings
        self._running = {episode for episode, label in running.items() if concerns(settings, label)}
        self._since_s = now_s
        self._off_at_s = -math.inf

    def update(self, event: Event, now_s: float) -> None:
        """Take the start or the end of an alert into account."""
        settings = self._settings
        if settings.mode == "pulse":
            if concerns(settings, event.label) and event.event_type in settings.events:
                self._off_at_s = now_s + settings.on_s
        elif event.event_type == "no_mask_end":
            if event.episode in self._running:
                self._running.remove(event.episode)
                self._off_at_s = max(now_s, self._since_s + settings.min_on_s)
        elif concerns(settings, event.label):
            if not self._is_active(now_s):
                self._since_s = now_s
            self._running.add(event.episode)

    def level(self, now_s: float) -> Level:
        """Return the level at `now_s`."""
        settings = self._settings
        if not self._is_active(now_s):
            return Level(False)
        until_s = math.inf if self._waits_for_end() else self._off_at_s
        if settings.mode != "blink":
            return Level(True, until_s)
        phase_s = (now_s - self._since_s) % (settings.on_s + settings.off_s)
        on = phase_s < settings.on_s
        left_s = settings.on_s - phase_s if on else settings.on_s + settings.off_s - phase_s
        return Level(on, min(until_s, now_s + left_s))

    def _is_active(self, now_s: float) -> bool:
        return self._waits_for_end() or now_s < self._off_at_s

    def _waits_for_end(self) -> bool:
        return bool(self._running) and self._settings.mode != "pulse"
