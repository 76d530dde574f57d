from __future__ import annotations

import queue
import threading

import pytest

from edge.camera.reader import Reader, StoppingReaders
from edge.camera.source import Frame
from edge.config.settings import CameraSettings
from tests.support.camera.fake_camera import GARBAGE, FakeCamera, level_of
from tests.support.clock import Clock


class RecordingListener:
    """A listener that records the reports of a reader, and accepts every frame except garbage."""

    def __init__(self) -> None:
        self.events: queue.Queue[object] = queue.Queue()

    def on_opened(self, reader: Reader, live: bool) -> None:
        self.events.put(("opened", live))

    def on_frame(self, reader: Reader, frame: Frame) -> bool:
        usable = frame.image_bgr.ndim == 3
        self.events.put(("frame", level_of(frame)) if usable else "garbage")
        return usable

    def on_ended(self, reader: Reader, error: Exception | None) -> None:
        self.events.put(("ended", error))

    def next_events(self, count: int) -> list[object]:
        return [self.events.get(timeout=5.0) for _ in range(count)]


@pytest.fixture
def listener() -> RecordingListener:
    return RecordingListener()


def reader_of(camera: FakeCamera, listener: RecordingListener, held: bool = False) -> Reader:
    reader = Reader(camera.open, listener, camera.clock, held)
    reader.start()
    return reader


def test_source_is_read_to_its_end_and_closed(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    reader = reader_of(camera, listener)
    assert listener.next_events(1) == [("opened", True)]
    camera.source.deliver(100, GARBAGE, 101, None)
    assert listener.next_events(4) == [("frame", 100), "garbage", ("frame", 101), ("ended", None)]
    assert reader.join(5.0)
    assert camera.source.closed.is_set()


def test_settings_are_applied_between_reads(listener: RecordingListener) -> None:
    """Also those that arrive while the source is being opened; only the newest are applied."""
    camera = FakeCamera(Clock())
    camera.open_gate = gate = threading.Event()
    reader = reader_of(camera, listener)
    for timeout_s in (1.0, 2.0):
        reader.adjust(CameraSettings(timeout_s=timeout_s))
    gate.set()
    listener.next_events(1)
    camera.source.deliver(100)
    assert listener.next_events(1) == [("frame", 100)]
    assert camera.source.adjusted == [CameraSettings(timeout_s=2.0)]
    reader.adjust(CameraSettings(timeout_s=3.0))
    camera.source.deliver(101, None)
    assert listener.next_events(2) == [("frame", 101), ("ended", None)]
    assert len(camera.source.adjusted) == 2


def test_error_of_the_source_is_reported_after_closing(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    reader = reader_of(camera, listener)
    error = ValueError("bad packet")
    listener.next_events(1)
    camera.source.deliver(error)
    assert listener.next_events(1) == [("ended", error)]
    assert reader.join(5.0)
    assert camera.source.closed.is_set()


def test_error_of_opening_is_reported(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    camera.open_error = error = OSError("busy")
    assert reader_of(camera, listener).join(5.0)
    assert listener.next_events(1) == [("ended", error)]


def test_held_reader_reads_nothing_before_begin(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    reader = reader_of(camera, listener, held=True)
    assert listener.next_events(1) == [("opened", True)]
    camera.source.deliver(100, None)
    assert reader.held
    assert not camera.source.is_empty()
    reader.begin()
    assert not reader.held
    assert listener.next_events(2) == [("frame", 100), ("ended", None)]


def test_stopped_reader_closes_its_source(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    reader = reader_of(camera, listener, held=True)
    listener.next_events(1)
    reader.stop()
    assert reader.join(5.0)
    assert camera.source.closed.is_set()
    assert listener.next_events(1) == [("ended", None)]


def test_source_opened_after_stop_is_closed_at_once(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    camera.open_gate = gate = threading.Event()
    reader = reader_of(camera, listener)
    reader.stop()
    gate.set()
    assert reader.join(5.0)
    assert camera.source.closed.is_set()
    assert listener.next_events(1) == [("ended", None)]


def test_stopping_readers_counts_those_that_hang(listener: RecordingListener) -> None:
    camera = FakeCamera(Clock())
    readers = [reader_of(camera, listener) for _ in range(2)]
    listener.next_events(2)
    stopping, others = StoppingReaders(), StoppingReaders()
    stopping.add(readers[0])
    others.add(readers[1])
    stopping.extend(others)
    assert stopping.count_running() == 2
    for source in camera.sources:
        source.deliver(100)
    stopping.join(5.0)
    assert stopping.count_running() == 0
