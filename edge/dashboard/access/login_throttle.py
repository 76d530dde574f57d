"""Log-in attempts are slowed down: a few at once, then ever more slowly."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from edge.common.backoff import delay_s

#: Wrong ones that cost nothing; people mistype.
FREE = 4
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 300.0
#: After so long without a wrong one all is forgotten.
FORGIVEN_S = 3600.0
#: Addresses remembered; beyond that all strangers share one count.
MAX_ADDRESSES = 5000


@dataclass
class _Count:
    wrong: int
    last_s: float


class LoginThrottle:
    """Counts wrong attempts for each address; may be used from any thread.

    An IPv6 address counts by its /64, as one machine has as many of these as it likes.
    """

    def __init__(self) -> None:
        """Nobody has tried."""
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}

    def begin(self, address: str, now_s: float) -> float:
        """Ask to try: 0 when one may, and it counts as wrong until `right` is called; else
        the seconds to wait."""
        with self._lock:
            key = self._key(address, now_s)
            count = self._counts.setdefault(key, _Count(0, now_s))
            wait_s = self._wait_s(count) - (now_s - count.last_s)
            if wait_s > 0.0:
                return wait_s
            count.wrong += 1
            count.last_s = now_s
            return 0.0

    def right(self, address: str, now_s: float) -> None:
        """The attempt was right: forget those before it."""
        with self._lock:
            self._counts.pop(self._key(address, now_s), None)

    def _wait_s(self, count: _Count) -> float:
        beyond = count.wrong - FREE
        if beyond < 0:
            return 0.0
        return delay_s(FIRST_WAIT_S, MAX_WAIT_S, beyond)

    def _key(self, address: str, now_s: float) -> str:
        for known in [k for k, c in self._counts.items() if now_s - c.last_s > FORGIVEN_S]:
            del self._counts[known]
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return "?"
        key = str(parsed)
        if parsed.version == 6:
            key = str(ipaddress.ip_network((parsed, 64), strict=False))
        if key not in self._counts and len(self._counts) >= MAX_ADDRESSES:
            return "?"
        return key
