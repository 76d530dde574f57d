"""A camera whose behaviour a test controls, and a feed that reads this camera."""

from __future__ import annotations

import queue
import threading
from typing import Any

import msgspec

from edge.camera.feed import CameraFeed
from edge.camera.feed_state import Opening, Reading
from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.config.settings import CameraSettings
from tests.support.clock import Clock
from tests.support.footage.pictures import flat
from tests.support.waiting import wait_until

#: An array that is not a picture, because it has no colour channels.
GARBAGE = flat(0)[:, :, 0]
#: Settings of a feed under test; the time-outs differ, so that tests can distinguish them.
FEED_SETTINGS = CameraSettings(
    source="rtsp://me:secret@cam/1",
    timeout_s=5.0,
    black_after_s=20.0,
    frozen_after_s=30.0,
    reopen_for_s=100.0,
)


class FakeSource:
    """Delivers the items of a queue one by one; `read` blocks while the queue is empty."""

    def __init__(self, clock: Clock, live: bool) -> None:
        self.live = live
        self.closed = threading.Event()
        #: The settings that were applied while the source was open.
        self.adjusted: list[CameraSettings] = []
        self._clock = clock
        self._items: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._count = 0

    def deliver(self, *items: object) -> None:
        """Add items to the queue: a grey level (read as a flat picture), a picture, an exception
        (raised), or None (the end of the stream).
        """
        for item in items:
            self._items.put(item)

    def is_empty(self) -> bool:
        """Return whether every item was read, or the source was closed."""
        return self._items.empty() or self.closed.is_set()

    def read(self) -> Frame | None:
        item = self._items.get()
        assert not self.closed.is_set(), "the source was read after it was closed"
        if isinstance(item, Exception):
            raise item
        if item is None:
            return None
        self._count += 1
        picture: Pixels = flat(item) if isinstance(item, int) else item  # type: ignore[assignment]
        at_s = self._clock() if self.live else self._count / 100.0
        return Frame(picture, at_s, self._count)

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        self.adjusted.append(settings)
        return ()

    def close(self) -> None:
        assert not self.closed.is_set(), "closed twice"
        self.closed.set()


class FakeCamera:
    """Opens `FakeSource`s; opening raises `open_error` if set, and waits for `open_gate` if set."""

    def __init__(self, clock: Clock, live: bool = True) -> None:
        self.live = live
        self.sources: list[FakeSource] = []
        self.attempts = 0
        self.open_error: Exception | None = None
        self.open_gate: threading.Event | None = None
        self.clock = clock

    def open(self) -> FakeSource:
        self.attempts += 1
        if self.open_gate is not None:
            self.open_gate.wait()
        if self.open_error is not None:
            raise self.open_error
        self.sources.append(FakeSource(self.clock, self.live))
        return self.sources[-1]

    @property
    def source(self) -> FakeSource:
        """The source that was opened last."""
        return self.sources[-1]


class FeedBench:
    """A context manager that runs a `CameraFeed` with a `FakeCamera` and a `Clock`.

    At the end of the context, sources that block in `read` are released after the feed was asked
    to stop, unless `releases_sources` is False.
    """

    def __init__(
        self,
        settings: CameraSettings = FEED_SETTINGS,
        live: bool = True,
        releases_sources: bool = True,
    ) -> None:
        self.clock = Clock()
        self.camera = FakeCamera(self.clock, live)
        #: The cameras whose sources are released at the end of the context.
        self.cameras = [self.camera]
        self.stopped = threading.Event()
        self._releases_sources = releases_sources
        self.feed = CameraFeed(
            self.camera.open, settings, self.stopped, self.clock, random=lambda: 0.0
        )

    def __enter__(self) -> FeedBench:
        self.feed.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._releases_sources:
            threading.Thread(target=self._release_sources).start()
        self.feed.__exit__()

    def _release_sources(self) -> None:
        wait_until(lambda: self.feed._stop_requested_s is not None, "the feed is asked to stop")
        for camera in self.cameras:
            for source in camera.sources:
                source.deliver(1)

    @property
    def state(self) -> str:
        """The state in the feed's status."""
        return self.feed.status().state

    @property
    def is_opening(self) -> bool:
        return isinstance(self.feed._source.state, Opening)

    @property
    def has_reader(self) -> bool:
        return self.feed._reader is not None

    @property
    def has_garbage(self) -> bool:
        """Whether the newest frame was not a valid picture."""
        state = self.feed._source.state
        return isinstance(state, Reading) and state.garbage

    @property
    def active_s(self) -> float | None:
        """Time at which the open source last delivered a picture; None while no source is read."""
        state = self.feed._source.state
        return state.active_s if isinstance(state, Reading) else None

    def next_frame(self) -> Frame:
        frames: list[Frame] = []

        def arrived() -> bool:
            frame = self.feed.take(0.1)
            if frame is not None:
                frames.append(frame)
            return bool(frames)

        wait_until(arrived, "a frame")
        return frames[0]

    def show(self, level: int) -> None:
        """Let the source deliver a picture, and take the picture from the feed."""
        self.camera.source.deliver(level)
        assert level_of(self.next_frame()) == level

    def show_repeatedly(self, level: int, seconds: int) -> None:
        """Let the source deliver a picture every second, for `seconds` or until the feed stops
        reading the source.
        """
        for _ in range(seconds):
            if not self.has_reader:
                return
            self.camera.source.deliver(level)
            wait_until(lambda: self.active_s in (None, self.clock.now_s), "the picture is checked")
            self.feed.take(0.0)
            self.clock.advance(1.0)

    def wait_for_state(self, state: str) -> None:
        def reached() -> bool:
            self.feed.take(0.0)
            return self.state == state

        wait_until(reached, f"{state} instead of {self.feed.status()}")

    def wait_for_opening(self, number: int) -> None:
        """Wait until the camera was opened `number` times."""
        wait_until(
            lambda: len(self.camera.sources) == number and not self.is_opening,
            f"opening {number}",
        )

    def wait_until_settled(self) -> None:
        """Wait until the change that `reopen` began is complete."""

        def settled() -> bool:
            self.feed.take(0.0)
            return self.feed.settled()

        wait_until(settled, "the change is complete")

    def expect_reopening(self, after_s: float) -> None:
        """Assert that the camera is reopened after `after_s` seconds, and not earlier."""
        opened = len(self.camera.sources)
        self.clock.advance(after_s - 0.01)
        assert self.feed.take(0.0) is None
        assert len(self.camera.sources) == opened
        self.clock.advance(0.02)
        self.feed.take(0.0)
        self.wait_for_opening(opened + 1)


def changed(**changes: Any) -> CameraSettings:
    """Return `FEED_SETTINGS` with some values replaced."""
    return msgspec.structs.replace(FEED_SETTINGS, **changes)


def level_of(frame: Frame) -> int:
    """Return the grey level of a frame whose pixels are all equal."""
    return int(frame.image_bgr[0, 0, 0])


def capture_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "capture"]


def wait_for_threads(count: int) -> None:
    wait_until(lambda: len(capture_threads()) == count, f"{count} capture threads")
