"""Decide whether a source works, and when it is reopened or given up."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.camera.feed_state import (
    Ended,
    Event,
    Failed,
    Fault,
    GarbageArrived,
    GaveUp,
    Lost,
    Opened,
    Opening,
    PictureArrived,
    Reading,
    RecordingEnded,
    RetryStarted,
    State,
    Suspended,
    TimerRestarted,
    Waiting,
    transition,
)
from edge.camera.feed_status import StatusKeeper, describe_failure, describe_silence
from edge.camera.frame_check import FrameCheck
from edge.camera.reader import GRACE_S, MAX_HANGING
from edge.camera.reopen_backoff import ReopenBackoff
from edge.camera.source import AbsentError, CameraState, Frame, SourceError
from edge.camera.source_address import display_address
from edge.common.backoff import delay_s
from edge.config.settings import CameraSettings

#: Maximum of `black_after_s`, which doubles each time that the picture stays black.
MAX_BLACK_AFTER_S = 3600.0

log = logging.getLogger(__name__)


class SourceSupervisor:
    """Follows one source through the states of `feed_state`, and reports its status.

    The supervisor has no thread and opens nothing: its owner calls a method for each event, and
    afterwards starts or stops a reader, which runs exactly while `state` is `Opening` or `Reading`.
    Not thread-safe.
    """

    def __init__(
        self,
        settings: CameraSettings,
        status: StatusKeeper,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """Begin in the state `Opening`; `status` is updated with every change."""
        self.settings = settings
        self.state: State = Opening(clock())
        self._status = status
        self._clock = clock
        self._backoff = ReopenBackoff(settings.reopen_for_s, random)
        self._frame_check = self._new_frame_check()

    @property
    def error(self) -> Exception | None:
        """The error with which the source ended or was given up; None if there is none."""
        return self.state.error if isinstance(self.state, Ended | Failed) else None

    def change_settings(self, settings: CameraSettings) -> None:
        """Apply settings that take effect without opening the source again."""
        self.settings = settings
        self._backoff.give_up_after_s = settings.reopen_for_s
        self._frame_check = self._new_frame_check()

    def take_over(self, live: bool, frame: Frame) -> bool:
        """Continue with a source that a candidate opened and whose newest frame is `frame`.

        Returns whether the frame may be delivered to the consumer.
        """
        self._apply(Opened(self._clock(), live))
        return self.picture_arrived(frame)

    # Events of the reader.

    def opened(self, live: bool) -> None:
        """Record that the source is open."""
        if isinstance(self.state, Opening) and self.state.history.opened:
            self._status.reopened += 1
        self._apply(Opened(self._clock(), live))

    def reading_began(self) -> None:
        """Record that a reader on hold may read from now on, which restarts the time-out."""
        self._apply(TimerRestarted(self._clock()))

    def garbage_arrived(self) -> None:
        """Record that the source delivered a frame that is no picture."""
        self._apply(GarbageArrived())

    def picture_arrived(self, frame: Frame) -> bool:
        """Check a picture of the source; return whether it may be delivered to the consumer."""
        now_s = self._clock()
        if not self.state.live:
            self._apply(PictureArrived(now_s))
            self._report_ok(frame)
            return True
        verdict = self._frame_check.check(frame.image_bgr, now_s)
        self._apply(PictureArrived(now_s, verdict))
        if verdict.frozen:
            name, span_s = display_address(self.settings), self.settings.frozen_after_s
            self._lose("frozen", f"{name} has delivered the same picture for {span_s:g} s")
            return False
        if not isinstance(self.state, Reading) or self.state.history.frozen:
            return False
        self._backoff.mark_restored()
        if verdict.black or self.state.history.black_openings:
            self._report("black", f"{display_address(self.settings)} delivers a black picture")
        else:
            self._report_ok(frame)
        if verdict.black:
            self._lose("black", self._status.reason)
        return True

    def ended(self, error: Exception | None) -> None:
        """Record that the reader closed the source, after `error` or after a normal end (None)."""
        state = self.state
        if not state.live:
            self._apply(RecordingEnded(error))
        elif isinstance(state, Opening) and error is not None and self._is_permanent(state, error):
            self._apply(GaveUp(error))
        else:
            self._lose("stalled", describe_failure(display_address(self.settings), error))

    # Changes of the settings.

    def suspend(self, reason: str) -> None:
        """Close the source on purpose, to open its device with other settings."""
        self._apply(Suspended())
        self._report("reopening", reason)

    def change_failed(self, reason: str) -> None:
        """Record that the suspended source could not be opened with other settings."""
        self._lose("stalled", reason)

    # Checks that depend on the time; the feed calls them often.

    def check_silence(self) -> None:
        """Report a live source that delivers nothing for `timeout_s`; close one that hangs."""
        state = self.state
        if not isinstance(state, Opening | Reading) or not state.live:
            return
        now_s = self._clock()
        silent_s = now_s - state.active_s
        if silent_s > self.settings.timeout_s + GRACE_S:
            self._lose("stalled", self._describe_silence(state))
        elif silent_s > self.settings.timeout_s and self._status.state != "reopening":
            is_new = self._backoff.mark_failing(now_s)
            self._report("stalled", self._describe_silence(state))
            self._announce_retries(is_new)

    def check_retry(self, count_hanging: Callable[[], int]) -> None:
        """Reopen a lost source after its delay, or give it up.

        `count_hanging` returns how many readers of earlier attempts have not ended.
        """
        state = self.state
        if isinstance(state, Ended | Failed) or not state.live:
            return
        now_s = self._clock()
        if self._backoff.is_exhausted(now_s):
            span_s = self.settings.reopen_for_s
            action = "brought back" if state.history.opened else "opened"
            self._give_up(f"; it could not be {action} for {span_s:g} s" if span_s else "")
        elif isinstance(state, Waiting) and now_s >= self._backoff.next_attempt_s:
            if (hanging := count_hanging()) >= MAX_HANGING:
                self._give_up(f"; {hanging} attempts to read it hang in its driver")
            else:
                self._report("reopening", self._status.reason)
                self._apply(RetryStarted(now_s))
                self._frame_check = self._new_frame_check()

    def _apply(self, event: Event) -> None:
        self.state = transition(self.state, event)

    def _is_permanent(self, state: Opening, error: Exception) -> bool:
        """Return whether `error` occurred at the first attempt and a retry is of no use."""
        temporary = isinstance(error, AbsentError) and self.settings.reopen_for_s > 0.0
        return not (temporary or state.history.failed)

    def _lose(self, fault: Fault, reason: str) -> None:
        """Close a live source that has failed, and schedule the next attempt to open it."""
        now_s = self._clock()
        # A black picture is no failure that ends the process: the room may just be dark.
        is_new = fault != "black" and self._backoff.mark_failing(now_s)
        self._backoff.schedule(now_s, self.state.lived_s)
        self._apply(Lost(fault))
        # A source that fails again while it is being reopened stays in the status `reopening`.
        reopening = fault == "stalled" and self._status.state == "reopening"
        self._report("reopening" if reopening else fault, reason)
        self._announce_retries(is_new)

    def _announce_retries(self, is_new: bool) -> None:
        """Log for how long a source is opened again that has begun to fail."""
        if is_new and self.settings.reopen_for_s:
            log.warning(
                "opening it is tried again for up to %g s (camera.reopen_for_s)",
                self.settings.reopen_for_s,
            )

    def _give_up(self, why: str) -> None:
        self._apply(GaveUp(SourceError(f"{self._status.reason}{why}")))

    def _new_frame_check(self) -> FrameCheck:
        settings, openings = self.settings, self.state.history.black_openings
        black_after_s = delay_s(settings.black_after_s, MAX_BLACK_AFTER_S, openings)
        # `black_after_s` itself may be longer than the maximum.
        return FrameCheck(max(settings.black_after_s, black_after_s), settings.frozen_after_s)

    def _describe_silence(self, state: Opening | Reading) -> str:
        return describe_silence(display_address(self.settings), self.settings.timeout_s, state)

    def _report(self, state: CameraState, reason: str) -> None:
        self._status.update(state, reason, display_address(self.settings))

    def _report_ok(self, frame: Frame) -> None:
        self._status.good_at_s = frame.captured_at_s
        self._report("ok", "")
