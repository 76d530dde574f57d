"""How long to wait before the next connection attempt, given how earlier connections ended."""

from __future__ import annotations

import random
from collections.abc import Callable

from edge.common.backoff import Backoff

#: The first and the longest delay between attempts, in seconds.
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 30.0
#: The largest share of a delay that is added to it at random.
JITTER = 0.5
#: The delay after a refusal (of credentials, a certificate, or an event): trying again sooner
#: does not help, because a person has to change a setting first.
REFUSED_DELAY_S = 60.0
#: A connection that lasted this long counts as stable: the next failure starts again at the
#: first delay and is logged again. Shorter connections mean that the broker closes each one.
STABLE_S = 30.0
#: After this many short connections in a row a warning names the possible reasons.
SHORT_CONNECTIONS_TO_REPORT = 3


class ReconnectBackoff:
    """The delay before the next attempt, and the number of short connections in a row."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """Start at the first delay; `chance` returns a number from 0 to 1 for each delay."""
        self._chance = chance
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S, JITTER, chance)
        self._short_connections = 0

    def reset_if_stable(self, lasted_s: float) -> bool:
        """Start again at the first delay if the connection that ended was stable.

        `lasted_s` is how long it lasted, 0 if there was none. Return whether it was stable.
        """
        if lasted_s < STABLE_S:
            return False
        self._backoff.reset()
        self._short_connections = 0
        return True

    def count_unreachable(self) -> None:
        """Record that no connection could be made.

        A broker that goes down also closes its connections, so earlier short connections no longer
        count.
        """
        self._short_connections = 0

    def count_short_connection(self) -> bool:
        """Record that the broker closed a connection soon after it was made.

        Return True once, when `SHORT_CONNECTIONS_TO_REPORT` have been recorded in a row.
        """
        self._short_connections += 1
        return self._short_connections == SHORT_CONNECTIONS_TO_REPORT

    def next_delay_s(self, refused: bool) -> float:
        """Return the delay in seconds before the next attempt.

        `refused` says whether the last attempt ended with a refusal; the delays that follow a
        refusal start at the longest one.
        """
        if refused:
            self._backoff.skip_to_max()
            return REFUSED_DELAY_S * (1.0 + JITTER * self._chance())
        return self._backoff.next_delay_s()
