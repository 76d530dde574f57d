"""Token buckets: rate limits that allow a burst, one bucket for each key."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class TokenBuckets(Generic[Key]):
    """A token bucket for each key, full at first. Times are seconds of a monotonic clock."""

    def __init__(self, burst: int, per_s: float) -> None:
        """Each bucket holds `burst` tokens and regains `per_s` tokens per second."""
        self._burst = float(burst)
        self._per_s = per_s
        #: For each bucket that is not full: its number of tokens, and when that was computed.
        self._tokens: dict[Key, tuple[float, float]] = {}

    def consume(self, key: Key, now_s: float) -> bool:
        """Take a token from the bucket of `key`; return False if there is none."""
        tokens = self._refilled(key, now_s)
        allowed = tokens >= 1.0
        self._tokens[key] = (tokens - 1.0 if allowed else tokens, now_s)
        return allowed

    def remove_full(self, now_s: float) -> None:
        """Forget the buckets that are full again, to free their memory."""
        self._tokens = {
            key: entry
            for key, entry in self._tokens.items()
            if self._refilled(key, now_s) < self._burst
        }

    def _refilled(self, key: Key, now_s: float) -> float:
        tokens, at_s = self._tokens.get(key, (self._burst, now_s))
        return min(self._burst, tokens + max(0.0, now_s - at_s) * self._per_s)
