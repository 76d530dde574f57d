"""How fast frames are taken: every one, at the recording's own speed, or only the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from edge.camera import Frame, Source

#: How often a waiting reader looks whether it should stop.
POLL_S = 0.2


def every_frame(source: Source, stopped: threading.Event) -> Iterator[Frame]:
    """Each frame of `source`, as quickly as they are asked for."""
    while not stopped.is_set() and (frame := source.read()) is not None:
        yield frame


class NewestFrame:
    """Reads a source in a thread of its own and hands over only the newest frame.

    A slow consumer drops frames and never builds a queue. Recorded sources are
    played at their own speed, on the monotonic clock.
    """

    def __init__(
        self,
        source: Source,
        stopped: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start reading; the thread ends with the source or when `stopped` is set."""
        self._source = source
        self._stopped = stopped
        self._clock = clock
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._failure: Exception | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._read_all, name="capture", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        """The newest frame each time; ends with the source, raises what stopped it."""
        while (frame := self._take()) is not None:
            yield frame

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False when it hangs in the source."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _take(self) -> Frame | None:
        with self._changed:
            while not self._stopped.is_set():
                if self._newest is not None:
                    frame, self._newest = self._newest, None
                    return frame
                if self._failure is not None:
                    raise self._failure
                if self._ended:
                    return None
                self._changed.wait(POLL_S)
        return None

    def _read_all(self) -> None:
        failure: Exception | None = None
        try:
            started_s = self._clock()
            while not self._stopped.is_set() and (frame := self._source.read()) is not None:
                if not self._source.live:
                    due_s = started_s + frame.captured_at_s
                    if self._stopped.wait(max(0.0, due_s - self._clock())):
                        break
                    frame = replace(frame, captured_at_s=due_s)
                self._hand_over(frame)
        except Exception as error:  # whatever it is, the consumer must hear of it
            failure = error
        with self._changed:
            self._failure, self._ended = failure, True
            self._changed.notify_all()

    def _hand_over(self, frame: Frame) -> None:
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = frame
            self._changed.notify_all()
