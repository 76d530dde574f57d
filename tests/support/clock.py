"""A clock that tests set."""

from __future__ import annotations


class Clock:
    """Returns a time in seconds that only `advance` changes."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
