"""When to try again: waits that double, with chance in them, and what counts as a new start."""

from __future__ import annotations

import random
from collections.abc import Callable

from edge.common.backoff import Backoff

#: The delays between attempts, in seconds.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
#: The largest share of a delay that is added to it by chance.
JITTER = 0.5
#: A refused login or event is not mended by trying harder.
REFUSED_RETRY_S = 60.0
#: A connection that lasted so long was a good one: the next failure is a new one, told
#: and retried from the start. Shorter ones are a broker that throws us out each time.
STABLE_S = 30.0
SUSPICIOUS = 3  # so many short connections in a row have a reason worth telling


class ReconnectBackoff:
    """Counts what went wrong and says how long to wait for the next attempt."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives a number from 0 to 1 for each wait."""
        self._chance = chance
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S, JITTER, chance)
        self._short = 0

    def lasted(self, seconds: float) -> bool:
        """A connection has ended after so long; True when that makes a new start."""
        if seconds < STABLE_S:
            return False
        self._backoff.reset()
        self._short = 0
        return True

    def unreachable(self) -> None:
        """The broker was not there: that is why the connections before were cut."""
        self._short = 0

    def thrown_out(self) -> bool:
        """A connection was cut soon; True when it is time to wonder why, once."""
        self._short += 1
        return self._short == SUSPICIOUS

    def next_wait_s(self, refused: bool) -> float:
        """How long to wait before the next attempt; `refused`: not for a technical reason."""
        if refused:
            self._backoff.skip_to_max()
            return REFUSED_RETRY_S * (1.0 + JITTER * self._chance())
        return self._backoff.next_delay_s()
