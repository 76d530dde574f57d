"""Token buckets: so much at once, so much a second after that; one for each name."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class TokenBuckets(Generic[Name]):
    """A bucket for each name, full at first. Those that have filled up again are forgotten."""

    def __init__(self, burst: int, per_s: float) -> None:
        """`burst` at once and `per_s` a second."""
        self._burst = float(burst)
        self._per_s = per_s
        self._spent: dict[Name, tuple[float, float]] = {}

    def take(self, name: Name, now_s: float) -> bool:
        """Take one of `name`'s; False when there is none left."""
        left, at_s = self._spent.get(name, (self._burst, now_s))
        left = min(self._burst, left + max(0.0, now_s - at_s) * self._per_s)
        allowed = left >= 1.0
        self._spent[name] = (left - 1.0 if allowed else left, now_s)
        return allowed

    def wait_s(self, name: Name, now_s: float) -> float:
        """How long until `name` may take one."""
        left, at_s = self._spent.get(name, (self._burst, now_s))
        left = min(self._burst, left + max(0.0, now_s - at_s) * self._per_s)
        return max(0.0, (1.0 - left) / self._per_s)

    def remove_full(self, now_s: float) -> None:
        """Drop the buckets that are full again."""
        self._spent = {
            name: (left, at_s)
            for name, (left, at_s) in self._spent.items()
            if left + max(0.0, now_s - at_s) * self._per_s < self._burst
        }
