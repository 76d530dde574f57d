"""A new source, or the present one with new settings, that is tested before the feed uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.camera.feed_state import Ended, Opening, Reading
from edge.camera.feed_status import describe_failure, describe_silence
from edge.camera.reader import GRACE_S, Reader, ReaderListener, StoppingReaders
from edge.camera.source import Frame, Source, SourceError, is_picture
from edge.camera.source_address import display_address
from edge.config.settings import CameraSettings


class CandidateSource:
    """One attempt to open a source and to receive its first frame; not thread-safe."""

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: CameraSettings,
        listener: ReaderListener,
        clock: Callable[[], float],
        same_device: StoppingReaders | None = None,
    ) -> None:
        """Prepare to open the source when `reader.start` is called.

        `same_device` holds the readers that have the candidate's device open, if there are any.
        The source is then opened after they have ended, or after `timeout_s` at the latest.
        """
        self.open_source = open_source
        self.settings = settings
        #: Whether the source in use was closed, so that the candidate can open the same device.
        self.replaces_same_device = same_device is not None
        self.state: Opening | Reading = Opening(clock())
        #: The newest picture that the candidate delivered.
        self.frame: Frame | None = None
        #: Set when the reader has closed the source; with a short recording, that may be before the
        #: feed takes the candidate over.
        self.end: Ended | None = None
        self.reader = Reader(self._open, listener, clock)
        self._clock = clock
        self._same_device = same_device

    def opened(self, live: bool) -> None:
        """Record that the source is open."""
        self.state = Reading(live, self._clock())

    def frame_arrived(self, frame: Frame) -> bool:
        """Record a frame that the source delivered; return whether it is usable."""
        usable = is_picture(frame.image_bgr)
        if usable:
            self.frame = frame
        elif isinstance(self.state, Reading):
            self.state = replace(self.state, garbage=True)
        return usable

    def ended(self, error: Exception | None) -> None:
        """Record that the reader closed the source, after `error` or after a normal end (None)."""
        self.end = Ended(error)

    def is_ready(self) -> bool:
        """Return whether the source delivered a picture.

        Raises SourceError when it failed or delivered nothing in time.
        """
        if self.frame is not None:
            return True
        name, timeout_s = display_address(self.settings), self.settings.timeout_s
        if self.end is not None:
            raise SourceError(describe_failure(name, self.end.error))
        if self._clock() - self.state.active_s > timeout_s + GRACE_S:
            raise SourceError(describe_silence(name, timeout_s, self.state))
        return False

    def _open(self) -> Source:
        """Open the source; called in the reader's thread."""
        if self._same_device is not None:
            self._same_device.join(self.settings.timeout_s)
            self.state = Opening(self._clock())
        return self.open_source()
