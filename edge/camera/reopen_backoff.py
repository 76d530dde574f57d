"""When a source that failed is tried again, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable

from edge.common.backoff import Backoff

#: The first new attempt comes after this, each further one after twice as long …
FIRST_DELAY_S = 0.5
#: … up to this: a camera that was unplugged is seen again within half a minute.
MAX_DELAY_S = 30.0
#: Up to this share is added by chance, so that the cameras of a building do not all knock at
#: a recorder in the same moment after it was restarted.
JITTER = 0.5


class ReopenBackoff:
    """Growing delays between attempts, and how long all of them together may take."""

    def __init__(self, give_up_after_s: float, random: Callable[[], float]) -> None:
        """`random` draws from 0 to 1; times are seconds on the caller's clock."""
        self.give_up_after_s = give_up_after_s
        self._failing_since_s: float | None = None
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S, JITTER, random)
        self._delay_s = 0.0
        self.next_try_s = 0.0

    def failing(self, now_s: float) -> None:
        """The source is in trouble, as of `now_s` unless it was before."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s

    def restored(self) -> None:
        """It works again. Delays shrink only once it has lived longer than the last one."""
        self._failing_since_s = None

    def put_off(self, now_s: float, lived_s: float) -> None:
        """Choose `next_try_s` after an opening that worked for `lived_s`."""
        if lived_s > self._delay_s:
            self._backoff.reset()
        self._delay_s = self._backoff.next_delay_s()
        self.next_try_s = now_s + self._delay_s

    def exhausted(self, now_s: float) -> bool:
        """Whether it has been in trouble for longer than it may."""
        since_s = self._failing_since_s
        return since_s is not None and now_s - since_s >= self.give_up_after_s
