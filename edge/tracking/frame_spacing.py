"""Whether frames come often enough to follow a person from one frame to the next."""

from __future__ import annotations

from collections import deque

#: So many gaps in a row must be too long, or short enough, before the verdict changes: a camera
#: that is reopened causes a single long gap.
GAPS = 3


class FrameSpacing:
    """Watches the times of the frames; not thread-safe, but any thread may read `warning`."""

    def __init__(self) -> None:
        """Start without a frame."""
        self._gaps_s: deque[float] = deque(maxlen=GAPS)
        self._newest_s: float | None = None
        #: One line on frames that come too rarely; empty if they come often enough.
        self.warning = ""

    def update(self, at_s: float, leave_after_s: float) -> bool:
        """Add a frame captured at `at_s`; return whether frames now come too rarely, or no longer.

        A track ends after `leave_after_s` without a face. If the next frame comes later than that,
        each frame begins new tracks, none of which has enough readings for an alert.
        """
        if self._newest_s is not None:
            self._gaps_s.append(at_s - self._newest_s)
        self._newest_s = at_s
        if len(self._gaps_s) < GAPS:
            return False
        if min(self._gaps_s) > leave_after_s:
            was_slow, self.warning = bool(self.warning), _describe(min(self._gaps_s), leave_after_s)
            return not was_slow
        if self.warning and max(self._gaps_s) <= leave_after_s:
            self.warning = ""
            return True
        return False


def _describe(gap_s: float, leave_after_s: float) -> str:
    return (
        f"nobody can cause an alert: the camera delivers a frame every {gap_s:.1f} s, and a person"
        f" is followed for at most {leave_after_s:g} s without a frame (`tracker.leave_after_s`);"
        " make the camera faster, raise `camera.fps` if it is lower, or raise this setting"
    )
