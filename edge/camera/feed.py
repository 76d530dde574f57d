"""The camera as the daemon sees it: the newest frame, whatever happens to the source."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from edge.camera import CameraStatus, Frame, Source, SourceError, State, is_picture
from edge.camera.addresses import full_spec, shown_source
from edge.camera.judge import Judge
from edge.camera.patience import Patience
from edge.camera.reader import Reader
from edge.camera.status import StatusKeeper, why_failed, why_silent
from edge.config import CameraSettings
from edge.errors import UserError

#: How often a waiting consumer looks at the clock and at whether it should stop.
POLL_S = 0.1
#: A source has its own time-out of `timeout_s`; one that does not come back this much later
#: hangs in native code.
GRACE_S = 1.0
#: So many threads may hang in native code at once. Each holds memory and a descriptor, and a
#: driver that swallowed three will not spare the fourth: a new process may do better.
MOST_HANGING = 3
#: A source that hangs is left behind after this; the process ends anyway.
FAREWELL_S = 1.0
#: A picture that stays black is tried again after this at the latest.
LONGEST_BLACK_S = 3600.0
#: What a source is opened with; the other settings of a camera can change while it runs.
OPENING = ("source", "width_px", "height_px", "fps", "timeout_s")

log = logging.getLogger(__name__)


class CameraFeed:
    """Reads a source ahead and hands over only its newest frame; brings a live one back.

    A context manager: entering opens the source in the caller's thread, so that a mistake
    in its address is a SourceError at once; leaving closes it and waits at most `FAREWELL_S`.
    Reading begins with the first `take`.

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
        self._left: list[Reader] = []
        self._reader: Reader | None = None
        # Set by `_take_on` for each source.
        self._live: bool
        self._unread: Source | None
        self._newest: Frame | None
        self._ended: bool
        self._failure: Exception | None
        self._patience: Patience
        self._good_since_s: float | None
        self._status = StatusKeeper()

    def __enter__(self) -> CameraFeed:
        self._take_on(self._open_source())
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._retire()
        self._wait_for_readers()

    @property
    def over(self) -> bool:
        """Whether a recorded source has ended and its last frame was taken."""
        with self._changed:
            return self._ended and self._failure is None and self._newest is None

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
                if self._ended or remaining_s <= 0.0:
                    break
                self._changed.wait(min(remaining_s, POLL_S))
        return None

    def status(self) -> CameraStatus:
        """How the source is; may be asked from any thread."""
        with self._changed:
            return self._status.at(self._clock())

    def reopen(self, open_source: Callable[[], Source], settings: CameraSettings) -> None:
        """Go on with other settings, and with another source if they say so.

        Another source is opened here before the old one is closed. A camera that only
        gets other settings is closed first, as most cannot be opened twice. Raises SourceError
        when that fails: then the old one goes on, with its old settings. Called by
        the thread that takes.
        """
        if all(getattr(settings, name) == getattr(self._settings, name) for name in OPENING):
            with self._changed:
                self._open_source, self._settings = open_source, settings
                self._patience.give_up_after_s = settings.reopen_for_s
                self._judge = self._new_judge()
            return
        same = self._live and full_spec(settings.source) == full_spec(self._settings.source)
        if same:
            with self._changed:
                self._retire()
            self._wait_for_readers()
        try:
            source = open_source()
        except UserError as error:
            if same:
                with self._changed:
                    self._lose("stalled", str(error))
            raise
        with self._changed:
            self._retire()
            self._open_source, self._settings = open_source, settings
            self._take_on(source)

    def _take_on(self, source: Source) -> None:
        """Everything as it is before the first frame of `source`."""
        self._unread = source
        self._live = source.live
        self._newest = None
        self._ended = False
        self._failure = None
        self._status.restart()
        self._patience = Patience(self._settings.reopen_for_s, self._random)
        self._blacks = 0  # times in a row that it was opened anew because it was black
        self._moves = True  # False from when it froze until it is seen to move again
        self._opening = self._garbage = False
        self._sign_s = self._clock()  # when the present reader last gave a sign of life
        self._good_since_s = None

    # What the reader tells, in its own thread.

    def opened(self, reader: Reader) -> None:
        """The source was opened anew."""
        with self._changed:
            if reader is self._reader:
                self._opening = False
                self._sign_s = self._clock()
                self._status.reopened += 1

    def arrived(self, reader: Reader, frame: Frame) -> bool:
        """Judge a frame and keep it for the consumer; returns whether it could be used."""
        with self._changed:
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
            if reader is not self._reader:
                return
            if self._live:
                self._lose("stalled", why_failed(shown_source(self._settings), failure))
            else:
                self._retire()
                self._ended, self._failure = True, failure
            self._changed.notify_all()

    # Everything below is called with the lock held.

    def _go_on(self) -> None:
        """What has become due: the first start, a time-out, an attempt, the end of patience."""
        if self._unread is not None:
            source, self._unread = self._unread, None
            self._start(source)
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
        if self._patience.exhausted(now_s):
            span_s = self._settings.reopen_for_s
            self._give_up(f"; it could not be brought back for {span_s:g} s" if span_s else "")
        elif self._reader is None and now_s >= self._patience.next_try_s:
            self._left = [reader for reader in self._left if not reader.gone()]
            if len(self._left) >= MOST_HANGING:
                self._give_up(f"; {len(self._left)} attempts hang in its driver")
            else:
                self._say("reopening", self._status.reason)
                self._start(None)

    def _start(self, source: Source | None) -> None:
        self._opening = source is None
        self._garbage = False
        self._sign_s = self._clock()
        self._good_since_s = None
        self._judge = self._new_judge()
        self._reader = Reader(self._open_source, self, self._clock, source)
        self._reader.start()

    def _retire(self) -> None:
        """The present reader is no longer listened to, and closes its source when it can."""
        if self._unread is not None:
            self._unread.close()
            self._unread = None
        if self._reader is not None:
            self._reader.leave()
            self._left.append(self._reader)
            self._reader = None

    def _lose(self, state: State, reason: str) -> None:
        """The source is of no use as it is: close it, and choose when to open it anew."""
        now_s = self._clock()
        since_s = self._good_since_s
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
            name, span_s = shown_source(self._settings), self._settings.frozen_after_s
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
            self._say("black", f"{shown_source(self._settings)} delivers a black picture")
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

    def _new_judge(self) -> Judge:
        black_after_s = self._settings.black_after_s
        longer_s = min(LONGEST_BLACK_S, black_after_s * 2.0 ** min(self._blacks, 30))
        return Judge(max(black_after_s, longer_s), self._settings.frozen_after_s)

    def _why_silent(self) -> str:
        name, span_s = shown_source(self._settings), self._settings.timeout_s
        return why_silent(name, span_s, self._opening, self._garbage)

    def _say(self, state: State, reason: str) -> None:
        self._status.say(state, reason, shown_source(self._settings))

    def _wait_for_readers(self) -> None:
        """Not with the lock held, which the readers need in order to end."""
        until_s = time.monotonic() + FAREWELL_S
        hanging = [r for r in self._left if not r.gone(max(0.0, until_s - time.monotonic()))]
        if hanging:
            log.debug("%d attempts to read the camera hang and are left behind", len(hanging))
        self._left = hanging
