"""Exponential backoff with jitter: how long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Beyond this exponent every delay has long reached its maximum; it bounds the power of two.
MAX_DOUBLINGS = 30


def delay_s(first_s: float, max_s: float, failures: int) -> float:
    """Return the delay in seconds after `failures` earlier ones: `first_s`, doubled for each.

    The result is never longer than `max_s`.
    """
    return min(max_s, first_s * 2.0 ** min(failures, MAX_DOUBLINGS))


class Backoff:
    """Delays that double with each failure, until an attempt succeeds.

    Jitter keeps many devices that lost the same server from coming back in step.
    """

    def __init__(
        self,
        first_s: float,
        max_s: float,
        jitter: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Start at `first_s` seconds; each delay is at most `max_s`, jitter included.

        `jitter` is the largest share of a delay that is added to it; `chance` gives a number
        from 0 to 1 for each delay.
        """
        self._first_s = first_s
        self._max_s = max_s
        self._jitter = jitter
        self._chance = chance
        self._failures = 0

    def next_delay_s(self) -> float:
        """Count a failure and return the delay in seconds before the next attempt."""
        plain_s = delay_s(self._first_s, self._max_s, self._failures)
        self._failures += 1
        return min(self._max_s, plain_s * (1.0 + self._jitter * self._chance()))

    def reset(self) -> None:
        """Start again at the first delay."""
        self._failures = 0

    def skip_to_max(self) -> None:
        """Make every further delay the longest one, until `reset`."""
        self._failures = MAX_DOUBLINGS
