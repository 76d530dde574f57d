"""One opening of a source, read to its end in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from edge.camera.source import Frame, Source

#: A source that delivers garbage as quickly as it is asked must not take a whole core.
GARBAGE_PAUSE_S = 0.05
#: A source has its own time-out of `timeout_s`; one that does not come back this much later
#: hangs in native code.
GRACE_S = 1.0


class Receiver(Protocol):
    """Who hears of what a reader meets; called in the reader's thread."""

    def opened(self, reader: Reader, live: bool) -> None:
        """The source is open, and is `live` or recorded."""

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
        hold: bool = False,
    ) -> None:
        """Read what `open_source` gives; with `hold`, not before `begin`."""
        self._open_source = open_source
        self._receiver = receiver
        self._clock = clock
        self._unwanted = threading.Event()
        self._begun = threading.Event()
        if not hold:
            self._begun.set()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin; from now on the receiver is called."""
        self._thread.start()

    def begin(self) -> None:
        """Read from now on: a recording would otherwise play before anybody watches."""
        self._begun.set()

    def leave(self) -> None:
        """Ask it to close its source and end; returns at once."""
        self._unwanted.set()
        self._begun.set()

    def gone(self, timeout_s: float = 0.0) -> bool:
        """Whether its thread has ended, after waiting for at most `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            source = self._open_source()
            try:
                if not self._unwanted.is_set():
                    self._receiver.opened(self, source.live)
                self._begun.wait()
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


class Leaving:
    """Readers that were told to leave, and may hang."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._readers: list[Reader] = []

    def add(self, reader: Reader) -> None:
        """Tell `reader` to leave; returns at once."""
        reader.leave()
        self._readers.append(reader)

    def adopt(self, others: Leaving) -> None:
        """Count those as well."""
        self._readers += others._readers

    def hanging(self) -> int:
        """How many are still there."""
        self._readers = [reader for reader in self._readers if not reader.gone()]
        return len(self._readers)

    def wait(self, timeout_s: float) -> None:
        """Until all are gone, for at most `timeout_s`."""
        until_s = time.monotonic() + timeout_s
        for reader in list(self._readers):
            reader.gone(max(0.0, until_s - time.monotonic()))
