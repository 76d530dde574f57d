"""A feed that returns every frame of a recording, as fast as frames are requested."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.camera.source import CameraStatus, Frame, Source
from edge.config.settings import CameraSettings


class EveryFrame:
    """A feed that returns every frame of a recorded source, whatever the recording's speed.

    A context manager that closes the source.
    """

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        """Take ownership of an open `source` that is not live."""
        self._source = source
        self._clock = clock
        self._newest_s: float | None = None
        self._over = False

    def __enter__(self) -> EveryFrame:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def request_stop(self) -> None:
        """Do nothing: no frame is read ahead, so there is no reader to stop."""

    def adjust(self, settings: CameraSettings) -> None:
        """Apply those of `settings` that an open source can change, from the next frame on."""
        self._source.adjust(settings)

    @property
    def over(self) -> bool:
        """Whether the recording has ended."""
        return self._over

    def take(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None at the end; raises the errors of the source."""
        del timeout_s  # the next frame of a recording is always available
        frame = self._source.read()
        self._over = frame is None
        self._newest_s = self._clock()
        return frame

    def status(self) -> CameraStatus:
        """Return `starting` before the first frame, then `ok`: a recording is never late."""
        newest_s = self._newest_s
        if newest_s is None:
            return CameraStatus("starting", "", None, 0, 0)
        return CameraStatus("ok", "", self._clock() - newest_s, 0, 0)
