"""When a lost source is opened again, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable

from edge.common.backoff import Backoff

#: Delay before the first new attempt; the delay doubles with each further attempt.
FIRST_DELAY_S = 0.5
#: Longest delay: a camera that was unplugged is found within half a minute of its return.
MAX_DELAY_S = 30.0
#: Largest random share that is added to a delay, so that the cameras of a building do not all
#: connect to a video recorder at the same moment after it was restarted.
JITTER = 0.5


class ReopenBackoff:
    """Growing delays between attempts to open a source, and a limit to their total duration."""

    def __init__(self, give_up_after_s: float, random: Callable[[], float]) -> None:
        """Begin with a source that works.

        `random` returns numbers from 0 to 1. All times are seconds on the caller's clock.
        """
        self.give_up_after_s = give_up_after_s
        self._failing_since_s: float | None = None
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S, JITTER, random)
        self._delay_s = 0.0
        self.next_attempt_s = 0.0

    def mark_failing(self, now_s: float) -> bool:
        """Record that the source has failed since `now_s`, unless a failure is already recorded.

        Returns whether this is a new failure.
        """
        if self._failing_since_s is not None:
            return False
        self._failing_since_s = now_s
        return True

    def mark_restored(self) -> None:
        """Record that the source works again; `schedule` decides whether delays start over."""
        self._failing_since_s = None

    def schedule(self, now_s: float, lived_s: float) -> None:
        """Set `next_attempt_s`; `lived_s`: seconds for which the source worked this time.

        The delays start over only if the source worked for longer than the previous delay.
        """
        if lived_s > self._delay_s:
            self._backoff.reset()
        self._delay_s = min(MAX_DELAY_S, self._backoff.next_delay_s())
        self.next_attempt_s = now_s + self._delay_s

    def is_exhausted(self, now_s: float) -> bool:
        """Whether the source has been failing for `give_up_after_s` or longer."""
        since_s = self._failing_since_s
        return since_s is not None and now_s - since_s >= self.give_up_after_s
