"""One opening of a source, read to its end in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from edge.camera import Frame, Source

#: A source that delivers garbage as quickly as it is asked must not take a whole core.
GARBAGE_PAUSE_S = 0.05


class Receiver(Protocol):
    """Who hears of what a reader meets; called in the reader's thread."""

    def opened(self, reader: Reader) -> None:
        """The reader has opened its source itself."""

    def arrived(self, reader: Reader, frame: Frame) -> bool:
        """A frame came; returns whether it could be used."""

    def ended(self, reader: Reader, failure: Exception | None) -> None:
        """The source came to its end, or failed; it is closed by now."""


class Reader:
    """Opens a source, reads it until it ends, fails or is no longer wanted, and closes it.

    All of that happens in one thread: native code must not be closed by one thread while
    another hangs in it. A thread that hangs cannot be killed; whenever it comes back, it
    sees that it was told to leave, and closes its source.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        receiver: Receiver,
        clock: Callable[[], float],
        source: Source | None = None,
    ) -> None:
        """Read `source`, or what `open_source` gives when there is none yet."""
        self._open_source = open_source
        self._receiver = receiver
        self._clock = clock
        self._source = source
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin; from now on the receiver is called."""
        self._thread.start()

    def leave(self) -> None:
        """Ask it to close its source and end; returns at once."""
        self._unwanted.set()

    def gone(self, timeout_s: float = 0.0) -> bool:
        """Whether its thread has ended, after waiting for at most `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            source = self._source
            if source is None:
                source = self._open_source()
                if not self._unwanted.is_set():
                    self._receiver.opened(self)
            try:
                self._read(source)
            finally:
                source.close()
        except Exception as error:  # whatever it is, the receiver must hear of it
            failure = error
        self._receiver.ended(self, failure)

    def _read(self, source: Source) -> None:
        started_s = self._clock()
        while not self._unwanted.is_set() and (frame := source.read()) is not None:
            if not source.live:
                due_s = started_s + frame.captured_at_s
                if self._unwanted.wait(max(0.0, due_s - self._clock())):
                    return
                frame = replace(frame, captured_at_s=due_s)
            if not self._receiver.arrived(self, frame):
                self._unwanted.wait(GARBAGE_PAUSE_S)
