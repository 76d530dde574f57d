"""What the board says of itself: temperature, and whether it is held back."""

from __future__ import annotations

from pathlib import Path

THERMAL_ZONE = Path("/sys/class/thermal/thermal_zone0/temp")
#: The firmware's flags on a Raspberry Pi, in hexadecimal.
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
#: raspberrypi.com/documentation/computers/os.html, vcgencmd get_throttled: the lower bits
#: are now, those sixteen higher are "since the start".
FLAGS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
#: Those that heat brings about; a weak power supply brings the others, and fewer frames are no
#: help against it.
COOLING = (FLAGS[2], FLAGS[3])


def temperature_c(file: Path = THERMAL_ZONE) -> float | None:
    """The processor's temperature in degrees Celsius, where the kernel tells."""
    try:
        return int(file.read_text(encoding="ascii")) / 1000.0
    except (OSError, ValueError):
        return None


def throttled(file: Path = THROTTLED) -> list[str] | None:
    """Why the firmware holds the processor back right now, empty when it does not; None on
    a board that does not tell."""
    try:
        flags = int(file.read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return None
    return [name for bit, name in FLAGS.items() if flags >> bit & 1]
