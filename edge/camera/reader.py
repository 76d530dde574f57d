"""Open, read and close one source, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from edge.camera.source import Frame, Source
from edge.config.settings import CameraSettings

#: Pause after an unusable frame: a source that delivers garbage without delay must not occupy
#: a whole processor core.
GARBAGE_PAUSE_S = 0.05
#: A source has its own time-out of `timeout_s`. A call that has returned no result this much later
#: than the time-out is considered to hang in native code.
GRACE_S = 1.0
#: How many threads may hang in native code at once. Each hanging thread holds memory and a file
#: descriptor. A driver that has blocked three attempts will also block a fourth attempt; a new
#: process may succeed.
MAX_HANGING = 3


class ReaderListener(Protocol):
    """Receives the events of a `Reader`; every method is called in the reader's thread."""

    def on_opened(self, reader: Reader, live: bool) -> None:
        """The source is open; `live` is the source's attribute of the same name."""

    def on_frame(self, reader: Reader, frame: Frame) -> bool:
        """The source delivered `frame`; return whether the frame is usable."""

    def on_ended(self, reader: Reader, error: Exception | None) -> None:
        """The source is closed: it failed with `error`, or ended normally if `error` is None."""


class Reader:
    """Opens a source, reads it until it ends, fails or `stop` is called, and closes it.

    All of that happens in one thread, because native code must not be closed by one thread
    while another thread hangs in it. A thread that hangs cannot be killed; when its call
    returns, the thread notices that `stop` was called and closes its source.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        listener: ReaderListener,
        clock: Callable[[], float],
        held: bool = False,
    ) -> None:
        """Prepare to read the source that `open_source` returns.

        A `held` reader opens the source, but reads no frame before `begin` is called.
        """
        self._open_source = open_source
        self._listener = listener
        self._clock = clock
        self._stop_requested = threading.Event()
        self._begun = threading.Event()
        # The settings that the source has not applied yet; the newest ones replace earlier ones.
        self._adjustments: deque[CameraSettings] = deque(maxlen=1)
        if not held:
            self._begun.set()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def held(self) -> bool:
        """Whether the reader is on hold: it reads no frame before `begin` is called."""
        return not self._begun.is_set()

    def start(self) -> None:
        """Start the thread; the listener is called from now on."""
        self._thread.start()

    def begin(self) -> None:
        """Start reading if the reader was created on hold.

        A recording is held until the feed uses its frames, so that none are missed.
        """
        self._begun.set()

    def adjust(self, settings: CameraSettings) -> None:
        """Request that the source applies `settings` before its next read; return at once."""
        self._adjustments.append(settings)

    def stop(self) -> None:
        """Request that the reader closes its source and ends; return at once."""
        self._stop_requested.set()
        self._begun.set()

    def join(self, timeout_s: float = 0.0) -> bool:
        """Wait for the thread for at most `timeout_s`; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            source = self._open_source()
            try:
                if not self._stop_requested.is_set():
                    self._listener.on_opened(self, source.live)
                self._begun.wait()
                self._read(source)
            finally:
                source.close()
        except Exception as caught:  # the listener must receive every error, whatever its class
            error = caught
        self._listener.on_ended(self, error)

    def _read(self, source: Source) -> None:
        started_s = self._clock()
        while not self._stop_requested.is_set():
            self._adjust(source)
            if (frame := source.read()) is None:
                return
            if not source.live:
                due_s = started_s + frame.captured_at_s
                if self._stop_requested.wait(max(0.0, due_s - self._clock())):
                    return
                frame = replace(frame, captured_at_s=due_s)
            if not self._listener.on_frame(self, frame):
                self._stop_requested.wait(GARBAGE_PAUSE_S)

    def _adjust(self, source: Source) -> None:
        if self._adjustments:
            source.adjust(self._adjustments.popleft())


class StoppingReaders:
    """Readers that were requested to stop, some of which may hang; not thread-safe."""

    def __init__(self) -> None:
        """Start with no reader."""
        self._readers: list[Reader] = []

    def add(self, reader: Reader) -> None:
        """Request that `reader` stops, and keep track of it; return at once."""
        reader.stop()
        self._readers.append(reader)

    def extend(self, others: StoppingReaders) -> None:
        """Keep track of the readers of `others` as well."""
        self._readers += others._readers

    def count_running(self) -> int:
        """Return how many of the readers have not ended."""
        self._readers = [reader for reader in self._readers if not reader.join()]
        return len(self._readers)

    def join(self, timeout_s: float) -> None:
        """Wait until every reader has ended, for at most `timeout_s` in total."""
        until_s = time.monotonic() + timeout_s
        for reader in list(self._readers):
            reader.join(max(0.0, until_s - time.monotonic()))
