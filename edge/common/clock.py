"""The time of the system clock, which may be wrong, and the time since the machine was booted.

A Raspberry Pi has no battery-backed clock. After a power failure its system clock continues from
the time of the failure, until NTP sets it and it jumps. The time since boot never jumps.
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
#: Return value of the kernel's `ntp_adjtime` while the clock is not synchronised (adjtimex(2)).
TIME_ERROR = 5
#: Size of the buffer for a `struct timex`, larger than the struct is on any platform. A struct of
#: zeros only queries the state.
TIMEX_BYTES = 512


@dataclass(frozen=True)
class Moment:
    """A point in time on both clocks of this machine.

    `utc_s`: seconds since the epoch on the system clock. `synced`: whether the kernel considered
    that clock synchronised. `boot`: ID of the current boot, empty if it is unknown. `boot_s`:
    seconds since that boot, including time in suspend.
    """

    utc_s: float
    synced: bool
    boot: str
    boot_s: float


def now() -> Moment:
    """Return the present moment."""
    return Moment(
        time.time(),
        clock_is_synchronised(),
        _boot_id(),
        boot_time_s(),
    )


def boot_time_s() -> float:
    """Return the seconds since the boot, including time in suspend; setting no clock changes it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def age_s(earlier: Moment, later: Moment) -> float | None:
    """Return the seconds from `earlier` to `later`, or None if they cannot be determined.

    The result is exact if both moments belong to the same boot, even if the system clock was set
    in between. Otherwise the system clock must have been synchronised at both moments.
    """
    if earlier.boot and earlier.boot == later.boot:
        return max(0.0, later.boot_s - earlier.boot_s)
    return max(0.0, later.utc_s - earlier.utc_s) if earlier.synced and later.synced else None


def correction_s(earlier: Moment, later: Moment) -> float | None:
    """Return the seconds to add to a system time of `earlier`, in order to correct it at `later`.

    Returns 0 if the clock was synchronised at `earlier`. Returns None if the error of the clock at
    `earlier` cannot be determined, because the clock is not synchronised at `later` either or the
    machine was rebooted.
    """
    if earlier.synced:
        return 0.0
    if not later.synced or not earlier.boot or earlier.boot != later.boot:
        return None
    return (later.utc_s - later.boot_s) - (earlier.utc_s - earlier.boot_s)


def iso_utc(epoch_s: float, precision: Literal["milliseconds", "seconds"] = "milliseconds") -> str:
    """Return a time in seconds since the epoch as ISO 8601, such as `2026-03-01T08:15:03.218Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def kernel_clock_state() -> int:
    """Return the clock state that `ntp_adjtime` reports, 0 to 5; -1 if that call is missing."""
    try:
        return int(ctypes.CDLL(None).ntp_adjtime(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return -1


def clock_is_synchronised(clock_state: Callable[[], int] = kernel_clock_state) -> bool:
    """Return whether the kernel considers the system clock synchronised (set by NTP)."""
    return 0 <= clock_state() < TIME_ERROR


@cache
def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class UtcClock:
    """Converts times on the clock of the frames to UTC."""

    def __init__(self, offset_s: Callable[[], float]) -> None:
        """`offset_s` returns the seconds to add to a frame's time to get seconds since the epoch.

        It is called for every conversion, because the system clock may be set at any time.
        """
        self._offset_s = offset_s

    def at(self, at_s: float) -> str:
        """Return the time `at_s` in UTC as ISO 8601 with milliseconds."""
        return iso_utc(self.epoch_s(at_s))

    def epoch_s(self, at_s: float) -> float:
        """Return the time `at_s` in seconds since the epoch."""
        return at_s + self._offset_s()


def monotonic_offset_s() -> float:
    """Return the present difference of system clock and monotonic clock, in seconds."""
    return time.time() - time.monotonic()


def local_minute() -> int:
    """Return the minutes since midnight in the local time of this machine."""
    return local_time()[1]


def local_time() -> tuple[int, int]:
    """Return the day of the week, 0 to 6 from Monday, and the minutes since midnight, in the local
    time of this machine."""
    now = time.localtime()
    return now.tm_wday, 60 * now.tm_hour + now.tm_min
