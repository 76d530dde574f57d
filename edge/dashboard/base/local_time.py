"""Times in a time zone, also those that a device with a wrong clock has sent."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

#: In the year 9892: `datetime` cannot hold a time after the year 9999.
MAX_TIME_S = 250_000_000_000.0


def local_time(at_s: float, zone: tzinfo | None = None) -> datetime:
    """Return `at_s` (seconds since the epoch) in `zone`, limited to what `datetime` can hold.

    Without `zone`, it is that of this machine.
    """
    return datetime.fromtimestamp(min(max(at_s, 0.0), MAX_TIME_S), UTC).astimezone(zone)
