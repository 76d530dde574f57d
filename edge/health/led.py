"""The board's activity LED: shows the daemon's state to people who stand near the device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from edge.common.paths import state_directory
from edge.common.stage_times import HUNG_S

log = logging.getLogger(__name__)

LEDS = Path("/sys/class/leds")
#: A file in the StateDirectory that holds the LED's original trigger while the daemon uses the
#: LED. A daemon that is killed cannot restore the trigger, and the next one finds `NO_TRIGGER`.
SAVED_TRIGGER_NAME = "led-trigger"
NO_TRIGGER = "none"
_BLINK, _PAUSE, _REST = 0.1, 0.25, 2.0


def _blinks(count: int) -> tuple[float, ...]:
    return (_BLINK, _PAUSE) * (count - 1) + (_BLINK, _REST)


#: For each pattern, how many seconds the LED is on, off, on, off …; the pattern repeats. The LED
#: is on only as long as is needed to count the blinks.
PATTERNS: Mapping[str, tuple[float, ...]] = {
    "ok": _blinks(1),
    "no broker": _blinks(2),
    "no camera": _blinks(3),
    "no disk": _blinks(4),
    "alert": (0.1, 0.1),
    "paused": (1.0, 3.0),
    "hung": (1.0, 0.0),
}


def pattern_for(status: Mapping[str, Any], idle_s: float) -> str:
    """Return the name of the pattern for the most serious condition.

    `status` is the body of the status file, empty before the first one; `idle_s` is the time
    since the loop last completed a turn.
    """
    health = status.get("health", {})
    if idle_s > HUNG_S:
        return "hung"
    if health.get("camera", "starting") not in ("ok", "starting"):
        return "no camera"
    if not health.get("outbox_on_disk", True):
        return "no disk"
    if status.get("alerting"):
        return "alert"
    if not health.get("connected", True):
        return "no broker"
    return "paused" if health.get("paused") else "ok"


class Led(Protocol):
    """An LED that can be switched."""

    def switch(self, on: bool) -> None:
        """Switch the LED on or off; raises OSError when that fails."""

    def restore(self) -> None:
        """Return the LED to its original use; raises OSError when that fails."""


class BoardLed:
    """An LED of the kernel's LED class; while it is in use here, it does not show disk activity."""

    def __init__(self, folder: Path, saved_trigger: Path | None = None) -> None:
        """Take over the LED of `folder`, such as /sys/class/leds/ACT.

        `saved_trigger` is the file that keeps the original trigger, so that the next process can
        restore it if this one is killed. Raises OSError if this process may not use the LED.
        """
        self._brightness = folder / "brightness"
        self._trigger = folder / "trigger"
        self._full = (folder / "max_brightness").read_text(encoding="ascii").strip()
        # The active trigger is in brackets.
        triggers = self._trigger.read_text(encoding="ascii").split()
        active = next((name[1:-1] for name in triggers if name.startswith("[")), NO_TRIGGER)
        self._saved_trigger = saved_trigger
        self._original = self._read_saved(triggers) if active == NO_TRIGGER else active
        self._brightness.write_text("0", encoding="ascii")  # raises OSError if not writable
        self._save()
        self._trigger.write_text(NO_TRIGGER, encoding="ascii")

    def switch(self, on: bool) -> None:
        """Switch the LED on or off; raises OSError when the LED is no longer accessible."""
        self._brightness.write_text(self._full if on else "0", encoding="ascii")

    def restore(self) -> None:
        """Set the original trigger again; raises OSError when the LED is no longer accessible."""
        self._trigger.write_text(self._original, encoding="ascii")
        if self._saved_trigger is not None:
            with suppress(OSError):
                self._saved_trigger.unlink(missing_ok=True)

    def _read_saved(self, triggers: list[str]) -> str:
        """Return the trigger that a killed process saved; `NO_TRIGGER` without a valid one."""
        if self._saved_trigger is None:
            return NO_TRIGGER
        try:
            name = self._saved_trigger.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return NO_TRIGGER
        return name if name in triggers else NO_TRIGGER

    def _save(self) -> None:
        if self._saved_trigger is None or self._original == NO_TRIGGER:
            return
        try:
            self._saved_trigger.parent.mkdir(parents=True, exist_ok=True)
            self._saved_trigger.write_text(f"{self._original}\n", encoding="ascii")
        except OSError as error:
            log.debug("the LED's original trigger cannot be saved: %s", error)


def find_led(name: str, leds: Path = LEDS, saved_trigger: Path | None = None) -> Led | None:
    """Take over the LED `name`; return None if the name is empty, there is no such LED, or it
    may not be used.

    `saved_trigger`: see `BoardLed`; None: `SAVED_TRIGGER_NAME` in the StateDirectory.
    """
    if not name or not (leds / name).exists():
        return None
    try:
        return BoardLed(leds / name, saved_trigger or state_directory() / SAVED_TRIGGER_NAME)
    except OSError as error:
        log.info("the LED %s is not used: %s", name, error.strerror)
        return None


class Blinker:
    """Blinks a pattern in its own thread, inside its context; then restores the LED."""

    def __init__(
        self,
        led: Led,
        pattern: Callable[[], str],
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """`pattern` returns the name of the current pattern and is called before each round.

        `wait` waits for the event for a number of seconds; it returns True when the event is
        set.
        """
        self._led = led
        self._pattern = pattern
        self._wait = wait
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="led", daemon=True)

    def __enter__(self) -> Blinker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                on = True
                for seconds in PATTERNS[self._pattern()]:
                    if seconds:
                        self._led.switch(on)
                        if self._wait(self._stopped, seconds):
                            break
                    on = not on
            self._led.restore()
        except OSError as error:
            log.warning("the LED can no longer be used: %s", error.strerror)
