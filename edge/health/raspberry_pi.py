"""Reads the board's temperature and the flags of a Raspberry Pi's firmware."""

from __future__ import annotations

from pathlib import Path

THERMAL_ZONE = Path("/sys/class/thermal/thermal_zone0/temp")
#: The firmware's flags on a Raspberry Pi, in hexadecimal.
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
#: The lower bits describe the present; the same bits plus sixteen mean "since the start"
#: (raspberrypi.com/documentation/computers/os.html, vcgencmd get_throttled).
FLAGS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
#: The flags that are caused by heat. The others are caused by a weak power supply, against which
#: a lower frame rate does not help.
HEAT_FLAGS = (FLAGS[2], FLAGS[3])


def temperature_c(file: Path = THERMAL_ZONE) -> float | None:
    """Return the processor's temperature in degrees Celsius; None where the kernel has none."""
    try:
        return int(file.read_text(encoding="ascii")) / 1000.0
    except (OSError, ValueError):
        return None


def throttle_flags(file: Path = THROTTLED) -> list[str] | None:
    """Return the names of the firmware's flags that are set now; None on a board without them."""
    try:
        flags = int(file.read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return None
    return [name for bit, name in FLAGS.items() if flags >> bit & 1]
