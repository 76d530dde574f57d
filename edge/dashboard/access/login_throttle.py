"""A delay after wrong passwords: the first few cause none, and each further one doubles it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from edge.common.backoff import delay_s

#: Wrong attempts without a delay, because people mistype.
FREE_ATTEMPTS = 4
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 300.0
#: The count of a client is deleted after this time without an attempt.
RESET_AFTER_S = 3600.0
#: Clients that are counted separately; all further clients share one count.
MAX_CLIENTS = 5000
#: The client of the shared count.
SHARED = "?"


@dataclass
class _Count:
    """Failed attempts of one client; `last_s` is the time of the latest."""

    failures: int
    last_s: float


class LoginThrottle:
    """Counts the failed attempts of each client. Thread-safe.

    Times are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        """Start without any failed attempt."""
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}

    def restore(self, client: str, failures: int, last_s: float) -> None:
        """Continue with the count of an earlier run; without effect if there is no room for it."""
        with self._lock:
            if len(self._counts) < MAX_CLIENTS or client == SHARED:
                self._counts[client] = _Count(failures, last_s)

    def begin_attempt(self, client: str, now_s: float) -> float:
        """Return 0 if an attempt is allowed now, else the seconds to wait.

        An attempt that is allowed counts as failed until `reset` is called.
        """
        with self._lock:
            for old in [c for c, n in self._counts.items() if now_s - n.last_s > RESET_AFTER_S]:
                del self._counts[old]
            count = self._counts.setdefault(self._counted(client), _Count(0, now_s))
            wait_s = self._wait_s(count) - (now_s - count.last_s)
            if wait_s > 0.0:
                return wait_s
            count.failures += 1
            count.last_s = now_s
            return 0.0

    def failures(self, client: str) -> tuple[str, int]:
        """Return under which name the failed attempts of `client` are counted, and how many."""
        with self._lock:
            counted = self._counted(client)
            count = self._counts.get(counted)
            return counted, count.failures if count else 0

    def reset(self, client: str) -> str:
        """Delete the count of `client` after a correct attempt; return the name of the count."""
        with self._lock:
            counted = self._counted(client)
            self._counts.pop(counted, None)
            return counted

    def _wait_s(self, count: _Count) -> float:
        delayed = count.failures - FREE_ATTEMPTS
        if delayed < 0:
            return 0.0
        return delay_s(FIRST_WAIT_S, MAX_WAIT_S, delayed)

    def _counted(self, client: str) -> str:
        """Return the name under which `client` is counted: its own, or that of the shared count."""
        if client and (client in self._counts or len(self._counts) < MAX_CLIENTS):
            return client
        return SHARED
