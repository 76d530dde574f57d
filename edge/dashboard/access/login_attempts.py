"""Attempts to log in: who may make one now, the check, and the record of those that failed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.dashboard.access.attempt_store import AttemptStore, StoredCount
from edge.dashboard.access.client_address import client_network, parse_address
from edge.dashboard.access.hashing_thread import BUSY_WAIT_S, HashingThread, TooManyAttemptsError
from edge.dashboard.access.login_throttle import LoginThrottle

#: This logger writes one line for each wrong attempt, which programs such as fail2ban count.
#: `edge.common.logging_setup` does not limit it, but the throttle limits each client.
log = logging.getLogger(__name__)

#: Precedes the identifier of a known browser in the names of counts.
BROWSER_PREFIX = "browser "


@dataclass(frozen=True)
class Client:
    """Who makes an attempt: the network address, and the identifier of a known browser or ''."""

    address: str
    browser: str = ""

    @property
    def counted(self) -> str:
        """The name under which failed attempts are counted."""
        if self.browser:
            return BROWSER_PREFIX + self.browser
        return client_network(self.address)

    @property
    def shown(self) -> str:
        """The address in the form in which it is logged."""
        return str(parse_address(self.address) or self.address)


class LoginAttempts:
    """Checks attempts one at a time, delays those of a client that fails, and logs failures.

    Known browsers are counted separately, so that no number of addresses can affect them.
    """

    def __init__(
        self,
        hashing: HashingThread,
        store: AttemptStore,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Continue with the counts in `store`.

        `clock` returns seconds and never goes back; `wall_clock` returns seconds since the epoch.
        """
        self._hashing = hashing
        self._store = store
        self._clock = clock
        self._wall_clock = wall_clock
        self._addresses, self._browsers = LoginThrottle(), LoginThrottle()
        now_s, wall_s = clock(), wall_clock()
        for count in store.load(wall_s):
            # If the clock was set back, the latest attempt seems to be in the future.
            age_s = max(0.0, wall_s - count.last_s)
            is_browser = count.client.startswith(BROWSER_PREFIX)
            throttle = self._browsers if is_browser else self._addresses
            throttle.restore(count.client, count.failures, now_s - age_s)

    async def check(self, client: Client, is_right: Callable[[], bool], secret: str) -> bool:
        """Return whether the attempt of `client` is right, as `is_right` decides in the thread.

        `secret` names in the log what was wrong. Raises TooManyAttemptsError without calling
        `is_right`, and any exception of `is_right`.
        """
        throttle = self._browsers if client.browser else self._addresses
        counted = client.counted
        if not self._hashing.has_room(counted, bool(client.browser)):
            raise TooManyAttemptsError(BUSY_WAIT_S)
        if (wait_s := throttle.begin_attempt(counted, self._clock())) > 0.0:
            raise TooManyAttemptsError(wait_s)

        def check() -> bool:
            # The attempt is stored first, so that the end of the process does not undo it.
            self._store.save(StoredCount(*throttle.failures(counted), self._wall_clock()))
            if not is_right():
                return False
            self._store.delete(throttle.reset(counted))
            return True

        right = await self._hashing.run(counted, check, bool(client.browser))
        if not right:
            log.warning("wrong %s from %s", secret, client.shown)
        return right
