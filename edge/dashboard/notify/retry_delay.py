"""When a notification is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

from edge.common.backoff import delay_s

#: The first and the longest delay, in seconds; the longest is how late a receiver that was down is
#: noticed to be back.
FIRST_DELAY_S, MAX_DELAY_S = 2.0, 60.0
#: The largest share of a delay that is added to it at random.
JITTER = 0.2


def retry_delay_s(failures: int, chance: Callable[[], float] = random.random) -> float:
    """Return the delay in seconds after `failures` failures in a row, at least one."""
    plain_s = delay_s(FIRST_DELAY_S, MAX_DELAY_S, failures - 1)
    return plain_s * (1.0 + JITTER * chance())
