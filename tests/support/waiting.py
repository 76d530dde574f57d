"""Wait until a condition holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Time after which a test fails if a condition does not hold. Usually a second is enough, but on a
#: computer with a load of 25 on two cores, the daemon needs more than 20 s until its first event.
PATIENCE_S = 60.0


def wait_until(
    condition: Callable[[], bool], description: str, patience_s: float = PATIENCE_S
) -> None:
    """Poll `condition` until it holds; raise AssertionError after `patience_s`.

    Use this for conditions that no event or condition variable reports.
    """
    tick = threading.Event()
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, f"never happened: {description}"
        tick.wait(0.02)
