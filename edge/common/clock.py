"""What time it is: by the system's clock, which may be wrong, and since the machine was started.

A Pi has no clock battery. Until the network has told it the time, its clock goes on from
where it stopped when the power went; then it jumps. The time since the start does not.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: What the kernel's `ntp_adjtime` returns while the clock is not synchronised (adjtimex(2)).
TIME_ERROR = 5
#: More than any `struct timex` needs; zero asks only.
TIMEX_BYTES = 512


@dataclass(frozen=True)
class Moment:
    """A point in time as this machine knew it.

    `utc_s`: seconds since the epoch by the system's clock; `synced`: whether the kernel
    held that for right; `boot`: which start of the machine, empty when not known;
    `boot_s`: seconds since that start, those asleep included.
    """

    utc_s: float
    synced: bool
    boot: str
    boot_s: float


def now() -> Moment:
    """This moment."""
    return Moment(
        time.time(),
        clock_is_synchronised(),
        _boot_id(),
        time.clock_gettime(time.CLOCK_BOOTTIME),
    )


def age_s(then: Moment, at: Moment) -> float | None:
    """Seconds from `then` to `at`; None when there is no telling.

    Within one start of the machine it is exact, whatever was done to the clock meanwhile;
    otherwise both clocks must have been right.
    """
    if then.boot and then.boot == at.boot:
        return max(0.0, at.boot_s - then.boot_s)
    return max(0.0, at.utc_s - then.utc_s) if then.synced and at.synced else None


def correction_s(then: Moment, at: Moment) -> float | None:
    """What must be added to times told at `then` by a clock that has been set since.

    0 when the clock was right already; None when it was not and there is no telling now.
    """
    if then.synced:
        return 0.0
    if not at.synced or not then.boot or then.boot != at.boot:
        return None
    return (at.utc_s - at.boot_s) - (then.utc_s - then.boot_s)


def iso_utc(epoch_s: float, precision: Literal["milliseconds", "seconds"] = "milliseconds") -> str:
    """`2026-03-01T08:15:03.218Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def kernel_clock_state() -> int:
    """What `ntp_adjtime` says, 0 to 5; -1 where there is no such thing."""
    try:
        return int(ctypes.CDLL(None).ntp_adjtime(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return -1


def clock_is_synchronised(clock_state: Callable[[], int] = kernel_clock_state) -> bool:
    """Whether the kernel holds the system's clock for right (NTP has set it)."""
    return 0 <= clock_state() < TIME_ERROR


@cache
def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class UtcClock:
    """Turns times of the frames' clock into UTC.

    `offset_s` is what must be added to a frame's time to get seconds since the epoch.
    """

    def __init__(self, offset_s: Callable[[], float]) -> None:
        """`offset_s` is asked at each use: the system clock may be set while we run."""
        self._offset_s = offset_s

    def at(self, at_s: float) -> str:
        """ISO 8601 in UTC with milliseconds."""
        return iso_utc(self.epoch_s(at_s))

    def epoch_s(self, at_s: float) -> float:
        """Seconds since the epoch."""
        return at_s + self._offset_s()


def monotonic_offset_s() -> float:
    """Seconds since the epoch at which the monotonic clock read zero, as of now."""
    return time.time() - time.monotonic()
