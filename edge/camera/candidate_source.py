"""Another source, or other settings, tried out before they take over."""

from __future__ import annotations

from collections.abc import Callable

from edge.camera.feed_status import why_failed, why_silent
from edge.camera.reader import GRACE_S, Leaving, Reader, Receiver
from edge.camera.source import Frame, Source, SourceError, is_picture
from edge.camera.source_address import display_address
from edge.config.settings import CameraSettings


class CandidateSource:
    """One attempt to open a source and to get a first frame of it; not thread-safe."""

    def __init__(
        self,
        open_source: Callable[[], Source],
        settings: CameraSettings,
        receiver: Receiver,
        clock: Callable[[], float],
        after: Leaving | None = None,
    ) -> None:
        """Nothing is opened before `reader.start`, and nothing before those of `after`, who
        have the same device, are gone or had `timeout_s` for it."""
        self.open_source = open_source
        self.settings = settings
        #: Whether the source that runs had to make room: there is nothing to watch meanwhile.
        self.alone = after is not None
        self.live = True
        #: The newest frame that it delivered.
        self.frame: Frame | None = None
        self.over = False
        self.failure: Exception | None = None
        self._clock = clock
        self._after = after
        self._opening, self._garbage = True, False
        self._sign_s = clock()
        self.reader = Reader(self._open, receiver, clock)

    def opened(self, live: bool) -> None:
        """It is open."""
        self._opening, self._sign_s = False, self._clock()
        self.live = live

    def arrived(self, frame: Frame) -> bool:
        """A frame came; returns whether it can be used."""
        self._garbage = not is_picture(frame.image_bgr)
        if not self._garbage:
            self.frame = frame
        return not self._garbage

    def ended(self, failure: Exception | None) -> None:
        """It is closed again; a short recording may have shown all it has."""
        self.over, self.failure = True, failure

    def succeeded(self) -> bool:
        """Whether it delivers; raises SourceError when it failed or took too long."""
        if self.frame is not None:
            return True
        name, timeout_s = display_address(self.settings), self.settings.timeout_s
        if self.over:
            raise SourceError(why_failed(name, self.failure))
        if self._clock() - self._sign_s > timeout_s + GRACE_S:
            raise SourceError(why_silent(name, timeout_s, self._opening, self._garbage))
        return False

    def _open(self) -> Source:
        """In the reader's thread."""
        if self._after is not None:
            self._after.wait(self.settings.timeout_s)
            self._sign_s = self._clock()
        return self.open_source()
