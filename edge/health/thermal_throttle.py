"""Fewer frames a second while the board is hot, before its firmware slows everything down.

A Raspberry Pi's firmware lowers the clock from 80 °C on (a Pi 3 B+ from 60 °C), and then a frame
takes longer just when there is no time to spare (raspberrypi.com/documentation/computers/
processors.html, "Frequency management and thermal control"). Fewer frames heat less.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.health.raspberry_pi import COOLING, temperature_c, throttled

#: How often the board is asked, and how long a change is given to show: heat takes its time.
CHECK_S = 5.0
DOWN_AFTER_S, UP_AFTER_S = 15.0, 60.0
#: Each step takes or gives back this share of the frames …
STEP = 0.7
#: … down to this share of the ceiling: 3 frames a second of 10, at which alerts still come.
MIN_SHARE = 0.3
#: So many degrees below the limit the rate goes up again.
COOLER_C = 5.0

log = logging.getLogger(__name__)


class ThermalThrottle:
    """Steps the frame rate down and up again; `share` is what is left of it, 0.3 to 1."""

    def __init__(
        self,
        hot_c: float,
        temperature: Callable[[], float | None] = temperature_c,
        flags: Callable[[], list[str] | None] = throttled,
    ) -> None:
        """From `hot_c` degrees Celsius on the rate goes down; so it does when the firmware says
        that it holds the processor back for its heat. A board that tells neither is left alone."""
        self._hot_c = hot_c
        self._temperature = temperature
        self._flags = flags
        self._check_due_s = self._changed_s = float("-inf")
        self.share = 1.0

    def tend(self, now_s: float) -> None:
        """Look at the board if it is time to; cheap, and to be called often. `now_s` is on any
        clock that does not run backwards."""
        if now_s < self._check_due_s:
            return
        self._check_due_s = now_s + CHECK_S
        temperature, flags = self._temperature(), self._flags() or []
        cooling = [flag for flag in flags if flag in COOLING]
        if cooling or (temperature is not None and temperature >= self._hot_c):
            after_s, share = DOWN_AFTER_S, max(MIN_SHARE, self.share * STEP)
        elif temperature is None or temperature < self._hot_c - COOLER_C:
            after_s, share = UP_AFTER_S, min(1.0, self.share / STEP)
        else:
            return
        if share == self.share or now_s - self._changed_s < after_s:
            return
        slower = share < self.share
        self.share, self._changed_s = share, now_s
        told = "it has cooled down" if temperature is None else f"{temperature:.0f} °C"
        why = ", ".join([*cooling, told]) if slower else told
        log.log(
            logging.WARNING if slower else logging.INFO,
            "%.0f%% of the frame rate: %s",
            100.0 * share,
            why,
        )
