"""Reduces the frame rate while the board is hot, before its firmware slows the processor down.

A Raspberry Pi's firmware lowers the clock from 80 °C on (a Pi 3 B+ from 60 °C), so that each frame
takes longer (raspberrypi.com/documentation/computers/processors.html, "Frequency management and
thermal control"). With fewer frames the board heats less.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.health.raspberry_pi import HEAT_FLAGS, temperature_c, throttle_flags

#: How often the board is read.
CHECK_INTERVAL_S = 5.0
#: Minimum time before a step down and before a step up: the temperature follows slowly.
DOWN_AFTER_S, UP_AFTER_S = 15.0, 60.0
#: A step down multiplies the frame rate by this factor; a step up divides the frame rate by it.
STEP = 0.7
#: The smallest share of `camera.fps`: at 3 instead of 10 frames a second, alerts are still raised.
MIN_SHARE = 0.3
#: The frame rate rises again when the temperature is this far below the limit.
HYSTERESIS_C = 5.0

log = logging.getLogger(__name__)


class ThermalThrottle:
    """Steps the frame rate down and up; `share` (0.3 to 1) is the fraction of the full rate.

    One thread calls `update`; any thread may read `share`.
    """

    def __init__(
        self,
        hot_c: float,
        temperature: Callable[[], float | None] = temperature_c,
        flags: Callable[[], list[str] | None] = throttle_flags,
    ) -> None:
        """Reduce the frame rate from `hot_c` degrees Celsius on, and while the firmware reports
        throttling by heat. If the board reports neither a temperature nor
        throttling, the frame rate is not reduced."""
        self._hot_c = hot_c
        self._temperature = temperature
        self._flags = flags
        self._check_due_s = self._changed_s = float("-inf")
        self.share = 1.0

    def update(self, now_s: float) -> None:
        """Read the board if a check is due; cheap enough for each turn of a loop.

        `now_s` is the time on any clock that does not run backwards.
        """
        if now_s < self._check_due_s:
            return
        self._check_due_s = now_s + CHECK_INTERVAL_S
        temperature, flags = self._temperature(), self._flags() or []
        heat_flags = [flag for flag in flags if flag in HEAT_FLAGS]
        if heat_flags or (temperature is not None and temperature >= self._hot_c):
            after_s, share = DOWN_AFTER_S, max(MIN_SHARE, self.share * STEP)
        elif temperature is None or temperature < self._hot_c - HYSTERESIS_C:
            after_s, share = UP_AFTER_S, min(1.0, self.share / STEP)
        else:
            return
        if share == self.share or now_s - self._changed_s < after_s:
            return
        slower = share < self.share
        self.share, self._changed_s = share, now_s
        measured = "" if temperature is None else f"{temperature:.0f} °C"
        reasons = (
            [*heat_flags, measured] if slower else [measured or "the firmware's flags are cleared"]
        )
        log.log(
            logging.WARNING if slower else logging.INFO,
            "the frame rate is set to %.0f%% of camera.fps: %s",
            100.0 * share,
            ", ".join(filter(None, reasons)),
        )
