"""The camera as the daemon uses it: the newest frame of a source that is kept open."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from edge.camera.adjusted_source import turned
from edge.camera.candidate_source import CandidateSource
from edge.camera.feed_state import Ended, Opening, Reading
from edge.camera.feed_status import StatusKeeper
from edge.camera.open_settings import must_adjust, must_reopen
from edge.camera.orientation import Orientation
from edge.camera.reader import MAX_HANGING, Reader, StoppingReaders
from edge.camera.source import CameraStatus, Frame, Source, SourceError, is_picture
from edge.camera.source_address import full_spec
from edge.camera.source_supervisor import SourceSupervisor
from edge.config.settings import CameraSettings

#: How often a waiting consumer checks the clock and whether it should stop.
POLL_S = 0.1
#: How long the start waits for the source to open. An error in the source's address is found
#: within this time. A camera may take longer, and the events that wait on disk should be sent
#: meanwhile.
START_WAIT_S = 2.0
#: How long leaving the context waits for a source that hangs. The thread that reads the source is a
#: daemon thread, so the process can end while it hangs.
CLOSE_WAIT_S = 1.0

log = logging.getLogger(__name__)


class CameraFeed:
    """Reads a source ahead and returns only its newest frame; reopens a live source.

    A context manager. Entering the context begins to open the source and waits for at most
    `START_WAIT_S`, so that an error in the source's address is raised at once (SourceError, or
    UserError). If a live source is absent, `take` has it opened again, as after a failure. Leaving
    the context closes the source within `CLOSE_WAIT_S` of `request_stop`. Reading begins with the
    first `take`.

    A recorded source (`live` is False) is played at its own speed, ends by itself and is never
    reopened. A live source that fails, ends, delivers no usable frame for `timeout_s`, freezes or
    turns black is closed and reopened, in the thread that reads it, with growing delays. Time-outs
    and delays are checked only in `take`, so `take` must be called often.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: CameraSettings,
        stopped: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Prepare to read the source of `settings`, which `open_source` opens.

        `take` no longer waits once `stopped` is set. `clock` returns seconds, and `random`
        returns numbers from 0 to 1 for the jitter of the delays.
        """
        self._open_source = open_source
        self._stopped = stopped
        self._clock = clock
        self._random = random
        # Guards all attributes below; notified when `take` may have something to return.
        self._changed = threading.Condition()
        self._stop_requested_s: float | None = None  # monotonic
        self._newest: Frame | None = None
        self._status = StatusKeeper()
        self._source = SourceSupervisor(settings, self._status, clock, random)
        self._reader: Reader | None = None
        self._candidate: CandidateSource | None = None
        # Readers that were stopped: those of the present source, and those of other sources.
        self._stopping = StoppingReaders()
        self._stopping_others = StoppingReaders()

    def __enter__(self) -> CameraFeed:
        with self._changed:
            self._start_reader(held=True)
            self._changed.wait_for(
                lambda: not isinstance(self._source.state, Opening), START_WAIT_S
            )
            if self._source.error is not None:
                raise self._source.error
        return self

    def __exit__(self, *_: object) -> None:
        self.request_stop()
        assert self._stop_requested_s is not None
        until_s = self._stop_requested_s + CLOSE_WAIT_S
        # The lock is not held here, because readers need it in order to end.
        for stopping in (self._stopping, self._stopping_others):
            stopping.join(max(0.0, until_s - time.monotonic()))
        hanging = self._stopping.count_running() + self._stopping_others.count_running()
        if hanging:
            log.debug("%d threads that read the camera still hang at the end of the run", hanging)

    def request_stop(self) -> None:
        """Begin to close the source in the background; `take` returns None from now on."""
        with self._changed:
            if self._stop_requested_s is None:
                self._stop_requested_s = time.monotonic()
                self._drop_candidate()
                self._stop_reader()

    @property
    def over(self) -> bool:
        """Whether a recorded source has ended without an error and its last frame was taken."""
        with self._changed:
            return self._is_over()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame that was not taken yet; None if `timeout_s` passes first.

        Returns None at once when the source is `over` or a stop was requested. Raises SourceError
        when a live source could not be reopened for `reopen_for_s`, or when too many attempts
        hang. Raises the error of a recorded source after its last frame.
        """
        # The time-out limits how long the caller really waits, so it is not on the injected clock.
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._stopped.is_set() and self._stop_requested_s is None:
                self._advance()
                if self._newest is not None:
                    frame, self._newest = self._newest, None
                    # A frame that was read before a reload may have the previous orientation.
                    return turned(frame, Orientation.of(self._source.settings))
                if self._source.error is not None:
                    raise self._source.error
                remaining_s = until_s - time.monotonic()
                if self._is_over() or remaining_s <= 0.0:
                    break
                self._changed.wait(min(remaining_s, POLL_S))
        return None

    def status(self) -> CameraStatus:
        """Return the status of the source; may be called from any thread."""
        with self._changed:
            return self._status.snapshot(self._clock())

    def reopen(self, open_source: Callable[[], Source], settings: CameraSettings) -> None:
        """Start to change to other settings, and to the source that these settings name.

        The source is opened in a thread; `settled` returns whether the change is complete. A
        different source is opened while the present source is still read. A camera whose settings
        change is closed first, because most cameras cannot be opened twice. Raises SourceError when
        too many earlier attempts hang.
        """
        with self._changed:
            present = self._source.settings
            self._drop_candidate()
            if not must_reopen(settings, present):
                self._open_source = open_source
                self._source.change_settings(settings)
                if self._reader is not None and must_adjust(settings, present):
                    self._reader.adjust(settings)
                return
            if self._stopping_others.count_running() >= MAX_HANGING:
                raise SourceError(
                    f"{MAX_HANGING} other sources hang while they are opened or closed"
                )
            same_device = None
            if self._source.state.live and full_spec(settings.source) == full_spec(present.source):
                self._source.suspend("the settings of the camera are being changed")
                self._follow_state()
                same_device = self._stopping
            self._candidate = CandidateSource(open_source, settings, self, self._clock, same_device)
            self._candidate.reader.start()

    def settled(self) -> bool:
        """Return whether `reopen` is complete and frames are those of the new source or settings.

        Returns False while the new source is tested; call it in the thread that calls `take`.
        Raises SourceError, once, when the test failed: the feed then continues with the previous
        source and settings.
        """
        with self._changed:
            candidate = self._candidate
            if candidate is None:
                return True
            try:
                if not candidate.is_ready():
                    return False
            except SourceError as error:
                self._drop_candidate()
                if candidate.replaces_same_device:
                    self._source.change_failed(str(error))
                raise
            self._take_over(candidate)
        return True

    # The methods of `ReaderListener`, which readers call in their threads.

    def on_opened(self, reader: Reader, live: bool) -> None:
        """Record that the source of `reader` is open."""
        with self._changed:
            if self._candidate is not None and reader is self._candidate.reader:
                self._candidate.opened(live)
            elif reader is self._reader:
                self._source.opened(live)
                self._changed.notify_all()

    def on_frame(self, reader: Reader, frame: Frame) -> bool:
        """Check a frame and keep it for the consumer; return whether it is usable."""
        with self._changed:
            if self._candidate is not None and reader is self._candidate.reader:
                return self._candidate.frame_arrived(frame)
            if reader is not self._reader:
                return False
            if not is_picture(frame.image_bgr):
                self._source.garbage_arrived()
                return False
            if self._source.picture_arrived(frame):
                self._hand_over(frame)
            self._follow_state()
        return True

    def on_ended(self, reader: Reader, error: Exception | None) -> None:
        """Record that `reader` closed its source, after `error` or after a normal end (None)."""
        with self._changed:
            if self._candidate is not None and reader is self._candidate.reader:
                self._candidate.ended(error)
            elif reader is self._reader:
                self._source.ended(error)
                self._follow_state()
                self._changed.notify_all()

    # All methods below are called with the lock held.

    def _is_over(self) -> bool:
        ended = isinstance(self._source.state, Ended) and self._source.error is None
        return ended and self._newest is None and self._candidate is None

    def _advance(self) -> None:
        """Let a reader on hold begin, and handle the time-outs and delays that have expired."""
        if self._reader is not None and self._reader.held:
            self._source.reading_began()
            self._reader.begin()
        self._source.check_silence()
        if self._candidate is None:  # else the candidate may soon replace a lost source
            self._source.check_retry(self._stopping.count_running)
        self._follow_state()

    def _follow_state(self) -> None:
        """Start or stop the reader, which runs while the source is being opened or read."""
        if not isinstance(self._source.state, Opening | Reading):
            self._stop_reader()
        elif self._reader is None:
            self._start_reader()

    def _start_reader(self, held: bool = False) -> None:
        self._reader = Reader(self._open_source, self, self._clock, held)
        self._reader.start()

    def _stop_reader(self) -> None:
        """Stop the reader and ignore it; it closes its source when its current call returns."""
        if self._reader is not None:
            self._stopping.add(self._reader)
            self._reader = None

    def _drop_candidate(self) -> None:
        if self._candidate is not None:
            same_device = self._candidate.replaces_same_device
            stopping = self._stopping if same_device else self._stopping_others
            stopping.add(self._candidate.reader)
            self._candidate = None

    def _take_over(self, candidate: CandidateSource) -> None:
        """Replace the present source by `candidate`, and deliver its newest frame."""
        assert candidate.frame is not None, "the candidate has delivered no frame"
        self._candidate = None
        self._stop_reader()
        if not candidate.replaces_same_device:
            self._stopping_others.extend(self._stopping)
            self._stopping = StoppingReaders()
        self._open_source = candidate.open_source
        self._status.restart()
        self._source = SourceSupervisor(candidate.settings, self._status, self._clock, self._random)
        self._reader = candidate.reader
        self._newest = None
        if self._source.take_over(candidate.state.live, candidate.frame):
            self._hand_over(candidate.frame)
        if candidate.end is not None:
            self._source.ended(candidate.end.error)
        self._follow_state()

    def _hand_over(self, frame: Frame) -> None:
        self._status.dropped += self._newest is not None
        self._newest = frame
        self._changed.notify_all()
