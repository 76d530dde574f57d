"""How old waiting events are, as far as that is known after reboots.

Within one boot the age is exact. Between two boots only the system clock tells how much time has
passed, and it may be wrong although the kernel considers it synchronised: a jump of months is more
probably a wrong clock than a device that was switched off for months, so it is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.common.clock import Moment

#: Longest time between two boots that the system clock is trusted to measure.
MAX_TIME_OFF_S = 60 * 86_400.0


def oldest_kept_s(
    last_of_each_boot: Iterable[Moment], at: Moment, max_age_s: float
) -> dict[str, float]:
    """Return for each boot before `at` the time from which on its events are kept.

    `last_of_each_boot` are the moments of the last event of each earlier boot, in order, all with
    a synchronised clock. The result maps the ID of a boot to seconds since that boot; earlier
    events of it are older than `max_age_s`.
    """
    kept_since_s = {}
    # The time from the end of the boot in question until `at`, and the system time when the boot
    # after it began; None if the clock is not synchronised.
    passed_s, next_boot_utc_s = at.boot_s, at.utc_s - at.boot_s if at.synced else None
    for last in reversed(list(last_of_each_boot)):
        if next_boot_utc_s is not None:
            off_s = next_boot_utc_s - last.utc_s
            passed_s += off_s if 0 < off_s <= MAX_TIME_OFF_S else 0.0
        kept_since_s[last.boot] = last.boot_s + passed_s - max_age_s
        passed_s, next_boot_utc_s = passed_s + last.boot_s, last.utc_s - last.boot_s
    return kept_since_s
