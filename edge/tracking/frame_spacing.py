"""Whether frames come often enough to follow a person from one frame to the next."""

from __future__ import annotations

from collections import deque

from edge.config.settings import EventSettings, TrackerSettings

#: So many groups of frames in a row must be too short before the verdict changes: a camera that is
#: reopened causes a single long gap.
GROUPS = 3


class FrameSpacing:
    """Watches the times of the frames; not thread-safe, but any thread may read `warning`."""

    def __init__(self) -> None:
        """Start without a frame."""
        # The number of frames of each group that was too short, and the gap after it in seconds.
        self._short: deque[tuple[int, float]] = deque(maxlen=GROUPS)
        self._count = 0
        self._first_s = self._newest_s = 0.0
        #: One line on frames that come too rarely; empty if they come often enough.
        self.warning = ""

    def update(self, at_s: float, tracker: TrackerSettings, events: EventSettings) -> bool:
        """Add a frame captured at `at_s`; return whether frames now come too rarely, or no longer.

        A track ends after `tracker.leave_after_s` without a face, so a longer gap between frames
        begins a new group, with new tracks. Nobody can cause an alert in a group with fewer than
        `events.min_readings` frames, or that lasts less than `events.confirm_s`.
        """
        was_slow = bool(self.warning)
        if self._count and (gap_s := at_s - self._newest_s) > tracker.leave_after_s:
            if not self._suffices(events):
                self._short.append((self._count, gap_s))
            if len(self._short) == GROUPS:
                self.warning = _describe(tuple(self._short), tracker.leave_after_s)
            self._count = 0
        if not self._count:
            self._first_s = at_s
        self._count += 1
        self._newest_s = at_s
        if self._suffices(events):
            self._short.clear()
            self.warning = ""
        return bool(self.warning) is not was_slow

    def _suffices(self, events: EventSettings) -> bool:
        """Whether somebody who is in every frame of the present group can cause an alert."""
        lasted_s = self._newest_s - self._first_s
        return self._count >= events.min_readings and lasted_s >= events.confirm_s


def _describe(short: tuple[tuple[int, float], ...], leave_after_s: float) -> str:
    frames, gap_s = max(count for count, _ in short), min(gap_s for _, gap_s in short)
    comes = (
        f"delivers a frame every {gap_s:.1f} s"
        if frames == 1
        else f"pauses for {gap_s:.1f} s after every {frames} frames or fewer"
    )
    return (
        f"nobody can cause an alert: the camera {comes}, and a person"
        f" is followed for at most {leave_after_s:g} s without a frame (`tracker.leave_after_s`);"
        " make the camera faster, raise `camera.fps` if it is lower, or raise this setting"
    )
