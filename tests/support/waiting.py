"""Wait until a condition holds."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Time after which a test fails if a condition does not hold; normally it holds within a second.
PATIENCE_S = 20.0


def wait_until(
    condition: Callable[[], bool], description: str, patience_s: float = PATIENCE_S
) -> None:
    """Poll `condition` until it holds; raise AssertionError after `patience_s`.

    For conditions that no event or condition variable reports.
    """
    tick = threading.Event()
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError(f"never happened: {description}")
