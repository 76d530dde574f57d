"""Waiting for a condition, for at most a time that only a failure needs."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Longest wait for something that normally takes less than a second.
PATIENCE_S = 20.0


def wait_until(
    condition: Callable[[], bool], description: str, patience_s: float = PATIENCE_S
) -> None:
    """Poll `condition` until it holds; for conditions without a notification to wait for."""
    tick = threading.Event()
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError(f"never happened: {description}")
