"""The controls of a V4L2 camera by their numbers, read and set through ioctls of its device."""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

# The numbers and structures of linux/videodev2.h and linux/v4l2-controls.h.
VIDIOC_QUERYCTRL, VIDIOC_S_CTRL = 0xC0445624, 0xC008561C
_QUERY = struct.Struct("<II32siiiiIII")
_CONTROL = struct.Struct("<Ii")
FLAG_DISABLED = 0x0001

BRIGHTNESS, CONTRAST, SATURATION, SHARPNESS = 0x980900, 0x980901, 0x980902, 0x98091B
AUTO_WHITE_BALANCE, WHITE_BALANCE_TEMPERATURE = 0x98090C, 0x98091A
AUTOGAIN, GAIN = 0x980912, 0x980913
POWER_LINE_FREQUENCY, BACKLIGHT_COMPENSATION = 0x980918, 0x98091C
EXPOSURE_AUTO, EXPOSURE_ABSOLUTE, EXPOSURE_AUTO_PRIORITY = 0x9A0901, 0x9A0902, 0x9A0903
FOCUS_ABSOLUTE, FOCUS_AUTO = 0x9A090A, 0x9A090C
WIDE_DYNAMIC_RANGE, EXPOSURE_METERING = 0x9A0915, 0x9A0919


@dataclass(frozen=True)
class ControlRange:
    """The least, greatest and default value of a control, and the distance between values."""

    minimum: int
    maximum: int
    step: int
    default: int

    def nearest(self, value: float) -> int:
        """Return the valid value that is nearest to `value`."""
        step = max(1, self.step)
        limited = min(max(value, self.minimum), self.maximum)
        found = self.minimum + round((limited - self.minimum) / step) * step
        return found if found <= self.maximum else found - step

    def at_fraction(self, fraction: float) -> int:
        """Return the value at `fraction` of the range, 0 to 1."""
        return self.nearest(self.minimum + fraction * (self.maximum - self.minimum))

    def at_offset(self, offset: float) -> int:
        """Return the value between the minimum (-1), the default (0) and the maximum (1)."""
        end = self.maximum if offset > 0.0 else self.minimum
        return self.nearest(self.default + abs(offset) * (end - self.default))

    def at_factor(self, factor: float) -> int:
        """Return `factor` times the default, both counted from the minimum."""
        unit = (self.default - self.minimum) or (self.maximum - self.minimum)
        return self.nearest(self.default + (factor - 1.0) * unit)


class ControlDevice(Protocol):
    """A camera's controls, by their V4L2 numbers."""

    def query(self, control: int) -> ControlRange | None:
        """Return the range of `control`, or None if the camera does not have it."""

    def set(self, control: int, value: int) -> None:
        """Set a control; raises OSError if the camera refuses the value."""


class V4l2Device:
    """The controls of an open device; a context manager that closes its own descriptor."""

    def __init__(self, path: Path) -> None:
        """Open `path`, which another descriptor may read from; raises OSError."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> V4l2Device:
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def query(self, control: int) -> ControlRange | None:
        """Return the range of `control`, or None if the camera does not have it."""
        request = bytearray(_QUERY.pack(control, 0, b"", 0, 0, 0, 0, 0, 0, 0))
        try:
            fcntl.ioctl(self._descriptor, VIDIOC_QUERYCTRL, request)
        except OSError:
            return None
        _, _, _, minimum, maximum, step, default, flags, _, _ = _QUERY.unpack(request)
        return None if flags & FLAG_DISABLED else ControlRange(minimum, maximum, step, default)

    def set(self, control: int, value: int) -> None:
        """Set a control; raises OSError if the camera refuses the value."""
        fcntl.ioctl(self._descriptor, VIDIOC_S_CTRL, bytearray(_CONTROL.pack(control, value)))
