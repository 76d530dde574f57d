"""A delay after wrong passwords: the first few cause none, and each further one doubles it."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from edge.common.backoff import delay_s

#: Wrong attempts without a delay, because people mistype.
FREE_ATTEMPTS = 4
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 300.0
#: The count of an address is deleted after this time without an attempt.
RESET_AFTER_S = 3600.0
#: Addresses that are counted separately; all further addresses share one count.
MAX_ADDRESSES = 5000
#: The key of the shared count.
SHARED_KEY = "?"


@dataclass
class _Count:
    """Failed attempts from one address; `last_s` is the time of the latest."""

    failures: int
    last_s: float


class LoginThrottle:
    """Counts the failed attempts of each address. Thread-safe.

    All IPv6 addresses of a /64 share one count, because one machine can use any of them.
    """

    def __init__(self) -> None:
        """Start without any failed attempt."""
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}

    def begin_attempt(self, address: str, now_s: float) -> float:
        """Return 0 if an attempt is allowed now, else the seconds to wait.

        An attempt that is allowed counts as failed until `reset` is called.
        """
        with self._lock:
            key = self._key(address, now_s)
            count = self._counts.setdefault(key, _Count(0, now_s))
            wait_s = self._wait_s(count) - (now_s - count.last_s)
            if wait_s > 0.0:
                return wait_s
            count.failures += 1
            count.last_s = now_s
            return 0.0

    def reset(self, address: str, now_s: float) -> None:
        """Delete the count of `address` after a correct attempt."""
        with self._lock:
            self._counts.pop(self._key(address, now_s), None)

    def _wait_s(self, count: _Count) -> float:
        delayed = count.failures - FREE_ATTEMPTS
        if delayed < 0:
            return 0.0
        return delay_s(FIRST_WAIT_S, MAX_WAIT_S, delayed)

    def _key(self, address: str, now_s: float) -> str:
        """Return the key of the count for `address`, after deleting counts that have expired."""
        for old in [k for k, c in self._counts.items() if now_s - c.last_s > RESET_AFTER_S]:
            del self._counts[old]
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return SHARED_KEY
        key = str(parsed)
        if parsed.version == 6:
            key = str(ipaddress.ip_network((parsed, 64), strict=False))
        if key not in self._counts and len(self._counts) >= MAX_ADDRESSES:
            return SHARED_KEY
        return key
