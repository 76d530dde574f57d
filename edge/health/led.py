"""The board's activity LED: how the daemon is, for who stands below it without a screen."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from edge.common.paths import state_directory

log = logging.getLogger(__name__)

LEDS = Path("/sys/class/leds")
#: In the StateDirectory while the LED is ours: what it showed before. Who is killed gives nothing
#: back, and who is started after that finds nothing.
KEPT_NAME = "led-trigger"
NOTHING = "none"
#: A loop that has not come round for so long hangs.
HUNG_S = 5.0
_BLINK, _PAUSE, _REST = 0.1, 0.25, 2.0


def _blinks(count: int) -> tuple[float, ...]:
    return (_BLINK, _PAUSE) * (count - 1) + (_BLINK, _REST)


#: Seconds on, off, on, off … over and over; no more on than needed to count the blinks.
PATTERNS: Mapping[str, tuple[float, ...]] = {
    "well": _blinks(1),
    "no broker": _blinks(2),
    "no camera": _blinks(3),
    "no disk": _blinks(4),
    "alert": (0.1, 0.1),
    "paused": (1.0, 3.0),
    "hung": (1.0, 0.0),
}


def pattern_for(status: Mapping[str, Any], idle_s: float) -> str:
    """The name of the pattern: the worst that is wrong. `idle_s`: since the loop came round;
    `status` may be empty at first."""
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
    return "paused" if health.get("paused") else "well"


class Led(Protocol):
    """Something that can be lit."""

    def light(self, on: bool) -> None:
        """Turn it on or off; raises OSError when it cannot be."""

    def give_back(self) -> None:
        """Leave it as it was found."""


class BoardLed:
    """An LED of the kernel's; for as long as it is ours, the card's activity does not show."""

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        """Take `folder` over, such as /sys/class/leds/ACT; raises OSError when we may not. `kept`
        is a file that remembers what it showed, for who comes after us if we are killed."""
        self._brightness = folder / "brightness"
        self._trigger = folder / "trigger"
        self._full = (folder / "max_brightness").read_text(encoding="ascii").strip()
        # The one in force stands in brackets.
        triggers = self._trigger.read_text(encoding="ascii").split()
        found = next((name[1:-1] for name in triggers if name.startswith("[")), NOTHING)
        self._kept = kept
        self._before = self._remembered(triggers) if found == NOTHING else found
        self._brightness.write_text("0", encoding="ascii")  # also shows whether we may
        self._remember()
        self._trigger.write_text(NOTHING, encoding="ascii")

    def light(self, on: bool) -> None:
        """Turn it on or off; raises OSError when it was taken from us."""
        self._brightness.write_text(self._full if on else "0", encoding="ascii")

    def give_back(self) -> None:
        """What the kernel showed before, it shows again."""
        self._trigger.write_text(self._before, encoding="ascii")
        if self._kept is not None:
            with suppress(OSError):
                self._kept.unlink(missing_ok=True)

    def _remembered(self, triggers: list[str]) -> str:
        """What it showed before one of us was killed; nothing if none was."""
        if self._kept is None:
            return NOTHING
        try:
            name = self._kept.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return NOTHING
        return name if name in triggers else NOTHING

    def _remember(self) -> None:
        if self._kept is None or self._before == NOTHING:
            return
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.write_text(f"{self._before}\n", encoding="ascii")
        except OSError as error:
            log.debug("what the LED showed is not written down: %s", error)


def find_led(name: str, leds: Path = LEDS, kept: Path | None = None) -> Led | None:
    """The LED of that name; None without a name, an LED, or the right to use it. `kept`: see
    BoardLed; default: in the StateDirectory."""
    if not name or not (leds / name).exists():
        return None
    try:
        return BoardLed(leds / name, kept or state_directory() / KEPT_NAME)
    except OSError as error:
        log.info("the LED %s is not used: %s", name, error.strerror)
        return None


class Blinker:
    """Shows a pattern from a thread of its own, as long as `with` lasts."""

    def __init__(
        self,
        led: Led,
        pattern: Callable[[], str],
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """`pattern` gives the name of the present one, at each round of it. `wait` waits for
        the event or so many seconds; True when it came."""
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
                        self._led.light(on)
                        if self._wait(self._stopped, seconds):
                            break
                    on = not on
            self._led.give_back()
        except OSError as error:
            log.warning("the LED shows nothing any more: %s", error.strerror)
