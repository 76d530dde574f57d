"""How the source is: what `health` says of it, and the log line when that changes."""

from __future__ import annotations

import logging

from edge.camera.source import CameraState, CameraStatus
from edge.common.errors import UserError

log = logging.getLogger(__name__)


class StatusKeeper:
    """Keeps the status up to date and logs each change of state once; not thread-safe."""

    def __init__(self) -> None:
        """Starting."""
        self.state: CameraState = "starting"
        self.reason = ""
        self.good_at_s: float | None = None
        self.reopened = 0
        self.dropped = 0

    def restart(self) -> None:
        """Another source: its state is not known yet; the counts go on."""
        self.state, self.reason = "starting", ""

    def say(self, state: CameraState, reason: str, name: str) -> None:
        """The source, which may be shown as `name`, is in `state` because of `reason`."""
        self.reason = reason
        before, self.state = self.state, state
        if state == before:
            return
        if state == "reopening":
            log.info("opening %s anew", name)
        elif state != "ok":
            log.warning("%s", reason)
        elif before != "starting":
            log.info("%s delivers again", name)

    def at(self, now_s: float) -> CameraStatus:
        """The status as of `now_s`."""
        age_s = None if self.good_at_s is None else max(0.0, now_s - self.good_at_s)
        return CameraStatus(self.state, self.reason, age_s, self.reopened, self.dropped)


def why_failed(name: str, failure: Exception | None) -> str:
    """One line on a source that raised `failure`, or just ended when it is None."""
    if failure is None:
        return f"{name} has ended"
    if isinstance(failure, UserError):
        return str(failure)
    # Decoders raise all kinds of things over garbage, some on several lines.
    log.debug("%s failed", name, exc_info=failure)
    return f"{name} failed: {type(failure).__name__}: {' '.join(str(failure).split())}"


def why_silent(name: str, span_s: float, opening: bool, garbage: bool) -> str:
    """One line on a source of which no usable frame came for `span_s` seconds."""
    if opening:
        return f"{name} could not be opened within {span_s:g} s"
    return f"{name} has delivered nothing{' but garbage' if garbage else ''} for {span_s:g} s"
