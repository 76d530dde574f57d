"""A camera that does what a test tells it to, and a clock that stands still."""

from __future__ import annotations

import queue
import threading

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from tests.support.brokers import wait_until
from tests.support.pictures import flat

#: What `FakeSource.read` gives back for it is no picture.
GARBAGE = flat(0)[:, :, 0]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


class FakeSource:
    """Delivers what was put into it, one by one; hangs while there is nothing."""

    def __init__(self, clock: Clock, live: bool) -> None:
        self.live = live
        self.closed = threading.Event()
        self._clock = clock
        self._things: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._count = 0

    def does(self, *things: object) -> None:
        """A level (a flat picture), a picture, an exception, or None for the end."""
        for thing in things:
            self._things.put(thing)

    def is_empty(self) -> bool:
        """Whether all was read, or nobody will read it any more."""
        return self._things.empty() or self.closed.is_set()

    def read(self) -> Frame | None:
        thing = self._things.get()
        assert not self.closed.is_set(), "read after it was closed"
        if isinstance(thing, Exception):
            raise thing
        if thing is None:
            return None
        self._count += 1
        picture: Pixels = flat(thing) if isinstance(thing, int) else thing  # type: ignore[assignment]
        at_s = self._clock() if self.live else self._count / 100.0
        return Frame(picture, at_s, self._count)

    def close(self) -> None:
        assert not self.closed.is_set(), "closed twice"
        self.closed.set()


class FakeCamera:
    """Something that can be opened; `refuses` and `hangs` say how that fails."""

    def __init__(self, clock: Clock, live: bool = True) -> None:
        self.live = live
        self.sources: list[FakeSource] = []
        self.tries = 0
        self.refuses: Exception | None = None
        self.hangs: threading.Event | None = None
        self._clock = clock

    def open(self) -> FakeSource:
        self.tries += 1
        if self.hangs is not None:
            self.hangs.wait()
        if self.refuses is not None:
            raise self.refuses
        self.sources.append(FakeSource(self._clock, self.live))
        return self.sources[-1]

    @property
    def source(self) -> FakeSource:
        """The one that was opened last."""
        return self.sources[-1]


def capture_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "capture"]


def wait_for_threads(count: int) -> None:
    wait_until(lambda: len(capture_threads()) == count, f"{count} capture threads")
