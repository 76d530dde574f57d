"""Exponential backoff with jitter: how long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Maximum exponent of the power of two; it prevents an overflow after very many failures. Every
#: delay reaches its maximum long before that.
MAX_DOUBLINGS = 30


def delay_s(first_s: float, max_s: float, failures: int) -> float:
    """Return the delay in seconds after `failures` earlier failures, at most `max_s`.

    The delay is `first_s`, doubled once for each earlier failure.
    """
    return min(max_s, first_s * 2.0 ** min(failures, MAX_DOUBLINGS))


class Backoff:
    """Delays that double with each failure, until `reset` is called.

    Jitter prevents many devices that lost the same server from reconnecting at the same time.
    """

    def __init__(
        self,
        first_s: float,
        max_s: float,
        jitter: float = 0.0,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Start with a delay of `first_s` seconds, and double it up to `max_s`.

        `jitter` is the largest fraction of a delay that is added to it, also at `max_s`.
        `random` returns a number from 0 to 1, and is called once for each delay.
        """
        self._first_s = first_s
        self._max_s = max_s
        self._jitter = jitter
        self._random = random
        self._failures = 0

    def next_delay_s(self) -> float:
        """Count a failure and return the delay in seconds before the next attempt."""
        plain_s = delay_s(self._first_s, self._max_s, self._failures)
        self._failures += 1
        return plain_s * (1.0 + self._jitter * self._random())

    def reset(self) -> None:
        """Start again with the first delay."""
        self._failures = 0

    def skip_to_max(self) -> None:
        """Make every further delay the longest one, until `reset` is called."""
        self._failures = MAX_DOUBLINGS
