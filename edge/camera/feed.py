"""The camera as the daemon sees it: the newest frame, whatever happens to the source."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from edge.camera.candidate_source import CandidateSource
from edge.camera.feed_status import StatusKeeper, why_failed, why_silent
from edge.camera.frame_check import FrameCheck
from edge.camera.reader import GRACE_S, Leaving, Reader
from edge.camera.reopen_backoff import ReopenBackoff
from edge.camera.source import (
    AbsentError,
    CameraState,
    CameraStatus,
    Frame,
    Source,
    SourceError,
    is_picture,
)
from edge.camera.source_address import display_address, full_spec
from edge.common.backoff import delay_s
from edge.config.settings import CameraSettings

#: How often a waiting consumer looks at the clock and at whether it should stop.
POLL_S = 0.1
#: How long the start waits to hear whether the source opens. A mistake shows at once; a
#: camera may take longer, and the events that wait on disk should not wait for it.
START_S = 2.0
#: So many threads may hang in native code at once. Each holds memory and a descriptor, and a
#: driver that swallowed three will not spare the fourth: a new process may do better.
MAX_HANGING = 3
#: A source that hangs is left behind after this; the process ends anyway.
FAREWELL_S = 1.0
#: A picture that stays black is tried again after this at the latest.
MAX_BLACK_S = 3600.0
#: What a source is opened with; the other settings of a camera can change while it runs.
OPENING = ("source", "width_px", "height_px", "fps", "timeout_s")

log = logging.getLogger(__name__)


class CameraFeed:
    """Reads a source ahead and hands over only its newest frame; brings a live one back.

    A context manager: entering begins to open the source and waits for at most `START_S`, so
    that a mistake in its address is raised at once (SourceError, or UserError); a live one that
    is only absent is waited for like one that went away. Leaving closes it, within
    `FAREWELL_S` of `leave`. Reading begins with the first `take`.

    A recorded source (`live` is False) plays at its own speed on the clock, ends by itself
    and is never opened again. A live one that fails, ends, delivers nothing that can be used
    for `timeout_s`, freezes or turns black is closed and opened anew, in the thread that
    reads it, with growing delays. Time passes in `take`: call it often.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: CameraSettings,
        stopped: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        """`open_source` opens the source of `settings`; nothing waits once `stopped` is set."""
        self._open_source = open_source
        self._settings = settings
        self._stopped = stopped
        self._clock = clock
        self._random = random
        # Guards everything below; notified when there is something to take.
        self._changed = threading.Condition()
        self._closed = False
        self._closed_at_s = 0.0
        self._left = Leaving()  # readers of the present source …
        self._strangers = Leaving()  # … and of others
        self._reader: Reader | None = None
        self._trial: CandidateSource | None = None
        # Set by `_begin_with` for each source.
        self._live: bool
        self._tried: bool
        self._was_open: bool
        self._newest: Frame | None
        self._ended: bool
        self._failure: Exception | None
        self._patience: ReopenBackoff
        self._good_since_s: float | None
        self._status = StatusKeeper()

    def __enter__(self) -> CameraFeed:
        with self._changed:
            self._begin_with(self._open_source, self._settings)
            self._start(hold=True)
            self._changed.wait_for(lambda: self._reader is None or not self._opening, START_S)
            if self._failure is not None:
                raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        # Not with the lock held, which the readers need in order to end.
        for leaving in (self._left, self._strangers):
            leaving.wait(max(0.0, self._closed_at_s + FAREWELL_S - time.monotonic()))
        hanging = self._left.hanging() + self._strangers.hanging()
        if hanging:
            log.debug("%d attempts to read the camera hang and are left behind", hanging)

    def leave(self) -> None:
        """Let go of the source, in the background: there is nothing to take any more."""
        with self._changed:
            if not self._closed:
                self._closed = True
                self._closed_at_s = time.monotonic()
                self._drop_trial()
                self._retire()

    @property
    def over(self) -> bool:
        """Whether a recorded source has ended and its last frame was taken."""
        with self._changed:
            ended = self._ended and self._failure is None and self._newest is None
            return ended and self._trial is None

    def take(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not taken yet; None when none came within `timeout_s`.

        Also None, at once, when the source is `over` or the run was stopped. Raises SourceError
        when a live source could not be brought back for `reopen_for_s`, or too many attempts
        hang; whatever a recorded source raised, after its last frame.
        """
        # Not the injected clock: this is how long the caller's thread really waits.
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._stopped.is_set() and not self._closed:
                self._go_on()
                if self._newest is not None:
                    frame, self._newest = self._newest, None
                    return frame
                if self._failure is not None:
                    raise self._failure
                remaining_s = until_s - time.monotonic()
                if (self._ended and self._trial is None) or remaining_s <= 0.0:
                    break
                self._changed.wait(min(remaining_s, POLL_S))
        return None

    def status(self) -> CameraStatus:
        """How the source is; may be asked from any thread."""
        with self._changed:
            return self._status.at(self._clock())

    def reopen(self, open_source: Callable[[], Source], settings: CameraSettings) -> None:
        """Begin to go on with other settings, and with another source if they say so.

        It is opened in a thread, and `settled` says how that ends. Another source is opened
        while the old one goes on; a camera that only gets other settings is closed first, as
        most cannot be opened twice. Raises SourceError when too many such attempts hang.
        """
        with self._changed:
            self._drop_trial()
            if all(getattr(settings, name) == getattr(self._settings, name) for name in OPENING):
                self._open_source, self._settings = open_source, settings
                self._patience.give_up_after_s = settings.reopen_for_s
                self._judge = self._new_judge()
                return
            if self._strangers.hanging() >= MAX_HANGING:
                raise SourceError(f"{MAX_HANGING} other sources hang in being opened or closed")
            same = self._live and full_spec(settings.source) == full_spec(self._settings.source)
            if same:
                self._retire()
                self._say("reopening", "its settings are changed")
            after = self._left if same else None
            self._trial = CandidateSource(open_source, settings, self, self._clock, after)
            self._trial.reader.start()

    def settled(self) -> bool:
        """Whether `reopen` is done and frames are those of the new source or settings.

        False while it is tried; to be asked by the thread that takes. Raises SourceError,
        once, when it failed: then the old source goes on, with its old settings.
        """
        with self._changed:
            trial = self._trial
            if trial is None:
                return True
            try:
                if not trial.succeeded():
                    return False
            except SourceError as error:
                self._drop_trial()
                if trial.alone:
                    self._lose("stalled", str(error))
                raise
            self._trial = None
            self._retire()
            if not trial.alone:
                self._strangers.adopt(self._left)
                self._left = Leaving()
            self._begin_with(trial.open_source, trial.settings)
            self._take_over(trial)
        return True

    def _begin_with(self, open_source: Callable[[], Source], settings: CameraSettings) -> None:
        """Everything as it is before the first frame of a source."""
        self._open_source, self._settings = open_source, settings
        self._live = True  # until it was opened and says otherwise
        self._tried = False  # whether an attempt failed: what fails after that may pass
        self._was_open = False
        self._newest = None
        self._ended = False
        self._failure = None
        self._status.restart()
        self._patience = ReopenBackoff(self._settings.reopen_for_s, self._random)
        self._blacks = 0  # times in a row that it was opened anew because it was black
        self._moves = True  # False from when it froze until it is seen to move again
        self._garbage = False
        self._held = False

    # What the reader tells, in its own thread.

    def opened(self, reader: Reader, live: bool) -> None:
        """The source is open."""
        with self._changed:
            if self._trial is not None and reader is self._trial.reader:
                self._trial.opened(live)
            elif reader is self._reader:
                self._opening = False
                self._sign_s = self._clock()
                self._status.reopened += self._was_open
                self._live, self._was_open = live, True
                self._changed.notify_all()

    def arrived(self, reader: Reader, frame: Frame) -> bool:
        """Judge a frame and keep it for the consumer; returns whether it could be used."""
        with self._changed:
            if self._trial is not None and reader is self._trial.reader:
                return self._trial.arrived(frame)
            if reader is not self._reader:
                return False
            if not is_picture(frame.image_bgr):
                self._garbage = True
                return False
            now_s = self._sign_s = self._clock()
            self._garbage = False
            if self._live:
                self._judge_frame(frame, now_s)
            else:
                self._status.good_at_s = frame.captured_at_s
                self._say("ok", "")
                self._hand_over(frame)
        return True

    def ended(self, reader: Reader, failure: Exception | None) -> None:
        """The source ended or failed, and is closed."""
        with self._changed:
            if self._trial is not None and reader is self._trial.reader:
                self._trial.ended(failure)
                return
            if reader is not self._reader:
                return
            if self._opening and not self._tried and self._is_mistake(failure):
                self._retire()
                self._failure = failure
            elif self._live:
                first = not self._was_open and not self._tried
                self._lose("stalled", why_failed(display_address(self._settings), failure))
                if first:
                    log.info("it is tried again for %g s", self._settings.reopen_for_s)
            else:
                self._retire()
                self._ended, self._failure = True, failure
            self._changed.notify_all()

    # Everything below is called with the lock held.

    def _go_on(self) -> None:
        """What has become due: the first start, a time-out, an attempt, the end of patience."""
        if self._held and self._reader is not None:
            self._held = False
            self._sign_s = self._clock()
            self._reader.begin()
        if not self._live or self._failure is not None:
            return
        now_s = self._clock()
        if self._reader is not None:
            silent_s = now_s - self._sign_s
            if silent_s > self._settings.timeout_s + GRACE_S:
                self._lose("stalled", self._why_silent())
            elif silent_s > self._settings.timeout_s and self._status.state != "reopening":
                self._patience.failing(now_s)
                self._say("stalled", self._why_silent())
        if self._trial is not None:
            return  # soon there may be another one, and nothing to bring back
        if self._patience.exhausted(now_s):
            span_s = self._settings.reopen_for_s
            what = "brought back" if self._was_open else "opened"
            self._give_up(f"; it could not be {what} for {span_s:g} s" if span_s else "")
        elif self._reader is None and now_s >= self._patience.next_try_s:
            if (hanging := self._left.hanging()) >= MAX_HANGING:
                self._give_up(f"; {hanging} attempts hang in its driver")
            else:
                self._say("reopening", self._status.reason)
                self._start()

    def _start(self, hold: bool = False) -> None:
        self._held = hold
        self._opening = True
        self._garbage = False
        self._sign_s = self._clock()
        self._good_since_s = None
        self._judge = self._new_judge()
        self._reader = Reader(self._open_source, self, self._clock, hold)
        self._reader.start()

    def _take_over(self, trial: CandidateSource) -> None:
        """Go on with what the trial opened, from its newest frame on."""
        assert trial.frame is not None, "it did not succeed"
        self._opening = False
        self._was_open = True
        self._live = trial.live
        self._good_since_s = None
        self._judge = self._new_judge()
        self._reader = trial.reader
        self.arrived(trial.reader, trial.frame)
        if trial.over:
            self.ended(trial.reader, trial.failure)

    def _is_mistake(self, failure: Exception | None) -> bool:
        """Whether waiting is of no use, or not wanted."""
        return not isinstance(failure, AbsentError) or self._settings.reopen_for_s == 0.0

    def _retire(self) -> None:
        """The present reader is no longer listened to, and closes its source when it can."""
        if self._reader is not None:
            self._left.add(self._reader)
            self._reader = None

    def _drop_trial(self) -> None:
        """The same for what is tried out."""
        if self._trial is not None:
            (self._left if self._trial.alone else self._strangers).add(self._trial.reader)
            self._trial = None

    def _lose(self, state: CameraState, reason: str) -> None:
        """The source is of no use as it is: close it, and choose when to open it anew."""
        now_s = self._clock()
        since_s = self._good_since_s
        self._tried = True
        self._retire()
        if state != "black":  # the hall may just be dark: that must never end the process
            self._patience.failing(now_s)
        self._patience.put_off(now_s, 0.0 if since_s is None else self._sign_s - since_s)
        self._moves = self._moves and state != "frozen"
        # One that fails again while it is brought back is still being brought back.
        still = state == "stalled" and self._status.state == "reopening"
        self._say(self._status.state if still else state, reason)

    def _judge_frame(self, frame: Frame, now_s: float) -> None:
        verdict = self._judge.look(frame.image_bgr, now_s)
        if verdict.frozen:
            name, span_s = display_address(self._settings), self._settings.frozen_after_s
            self._lose("frozen", f"{name} has delivered the same picture for {span_s:g} s")
            return
        self._moves = self._moves or verdict.changed or verdict.dark
        if not self._moves:
            return  # a single picture is no proof that it moves again
        if self._good_since_s is None:
            self._good_since_s = now_s
        self._patience.restored()
        self._blacks = self._blacks if verdict.dark else 0
        if not self._blacks and not verdict.black:
            self._status.good_at_s = frame.captured_at_s
            self._say("ok", "")
        else:
            self._say("black", f"{display_address(self._settings)} delivers a black picture")
        self._hand_over(frame)
        if verdict.black:
            self._blacks += 1
            self._lose("black", self._status.reason)

    def _hand_over(self, frame: Frame) -> None:
        self._status.dropped += self._newest is not None
        self._newest = frame
        self._changed.notify_all()

    def _give_up(self, why: str) -> None:
        self._retire()
        self._failure = SourceError(f"{self._status.reason}{why}")

    def _new_judge(self) -> FrameCheck:
        black_after_s = self._settings.black_after_s
        longer_s = delay_s(black_after_s, MAX_BLACK_S, self._blacks)
        return FrameCheck(max(black_after_s, longer_s), self._settings.frozen_after_s)

    def _why_silent(self) -> str:
        name, span_s = display_address(self._settings), self._settings.timeout_s
        return why_silent(name, span_s, self._opening, self._garbage)

    def _say(self, state: CameraState, reason: str) -> None:
        self._status.say(state, reason, display_address(self._settings))
