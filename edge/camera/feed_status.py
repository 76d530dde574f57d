"""The status of a source as `health` reports it, and a log line for each change of it."""

from __future__ import annotations

import logging

from edge.camera.feed_state import Opening, Reading
from edge.camera.source import CameraState, CameraStatus
from edge.common.errors import UserError

log = logging.getLogger(__name__)


class StatusKeeper:
    """Keeps the status up to date and logs each change of the state once; not thread-safe."""

    def __init__(self) -> None:
        """Begin in the state `starting`."""
        self.state: CameraState = "starting"
        self.reason = ""
        self.good_at_s: float | None = None
        self.reopened = 0
        self.dropped = 0

    def restart(self) -> None:
        """Begin again in the state `starting` for another source; the counters are kept."""
        self.state, self.reason = "starting", ""

    def update(self, state: CameraState, reason: str, name: str) -> None:
        """Set the state and its reason; `name` is the source's name in log messages."""
        self.reason = reason
        previous, self.state = self.state, state
        if state == previous:
            return
        if state == "reopening":
            log.info("reopening %s", name)
        elif state != "ok":
            log.warning("%s", reason)
        elif previous != "starting":
            log.info("%s delivers frames again", name)

    def snapshot(self, now_s: float) -> CameraStatus:
        """Return the status as of `now_s`."""
        age_s = None if self.good_at_s is None else max(0.0, now_s - self.good_at_s)
        return CameraStatus(self.state, self.reason, age_s, self.reopened, self.dropped)


def describe_failure(name: str, error: Exception | None) -> str:
    """Return one line on a source that raised `error`, or that ended if `error` is None."""
    if error is None:
        return f"{name} has ended"
    if isinstance(error, UserError):
        return str(error)
    # Decoders raise exceptions of many classes on corrupt data, some with several lines.
    log.debug("%s failed", name, exc_info=error)
    return f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())}"


def describe_silence(name: str, span_s: float, state: Opening | Reading) -> str:
    """Return one line on a source that delivered no usable frame for `span_s` seconds."""
    if isinstance(state, Opening):
        return f"{name} could not be opened within {span_s:g} s"
    return f"{name} has delivered nothing{' but garbage' if state.garbage else ''} for {span_s:g} s"
