from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.camera import Frame, SourceError
from edge.camera.capture import NewestFrame, every_frame
from edge.camera.files import VideoFile
from tests.brokers import wait_until
from tests.pictures import flat, write_clip


class Scripted:
    """A live source that delivers when it is told to."""

    live = True

    def __init__(self, frames: int, failure: Exception | None = None) -> None:
        self.delivered = 0
        self._frames = frames
        self._failure = failure
        self.go = threading.Semaphore(0)

    def read(self) -> Frame | None:
        self.go.acquire()
        if self.delivered == self._frames:
            if self._failure:
                raise self._failure
            return None
        self.delivered += 1
        return Frame(flat(0), float(self.delivered), self.delivered)

    def close(self) -> None:
        pass


def test_the_newest_wins_and_what_was_skipped_is_counted() -> None:
    source, stopped = Scripted(frames=5), threading.Event()
    frames = NewestFrame(source, stopped)
    source.go.release(6)
    assert frames.join(5.0)
    assert [f.index for f in frames] == [5]
    assert frames.dropped == 4


def test_a_failing_source_is_heard_of_after_its_last_frame() -> None:
    source = Scripted(frames=1, failure=SourceError("gone"))
    frames = NewestFrame(source, threading.Event())
    source.go.release(2)
    frames.join(5.0)
    received = iter(frames)
    assert next(received).index == 1
    with pytest.raises(SourceError, match="gone"):
        next(received)


def test_an_unexpected_failure_is_not_waited_for_for_ever() -> None:
    source = Scripted(frames=0, failure=MemoryError("huge frame"))
    frames = NewestFrame(source, threading.Event())
    source.go.release()
    with pytest.raises(MemoryError, match="huge frame"):
        next(iter(frames))


def test_stopping_ends_the_iteration_though_the_source_hangs() -> None:
    source, stopped = Scripted(frames=1), threading.Event()
    frames = NewestFrame(source, stopped)
    reader = threading.Thread(target=lambda: list(frames))
    reader.start()
    stopped.set()
    reader.join(5.0)
    assert not reader.is_alive()
    assert not frames.join(0.0)
    source.go.release(2)
    assert frames.join(5.0)


def test_a_recording_is_played_at_its_own_speed(tmp_path: Path) -> None:
    """The clock is ours: each frame is handed over only when its time has come."""
    clip = write_clip(tmp_path / "clip.mp4", [10, 20, 30], fps=10.0)
    now_s = [100.0]
    waits: list[float] = []

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            now_s[0] += timeout or 0.0
            return False

    frames = NewestFrame(VideoFile(clip), Stopped(), clock=lambda: now_s[0])
    assert frames.join(5.0)
    assert waits == pytest.approx([0.0, 0.1, 0.1], abs=1e-3)
    (last,) = list(frames)
    assert last.captured_at_s == pytest.approx(100.2, abs=1e-3)


def test_fast_means_every_frame(tmp_path: Path) -> None:
    stopped = threading.Event()
    clip = write_clip(tmp_path / "clip.mp4", [0] * 30)
    assert len(list(every_frame(VideoFile(clip), stopped))) == 30
    stopped.set()
    assert list(every_frame(VideoFile(clip), stopped)) == []


def test_realtime_keeps_every_frame_when_the_reader_keeps_up(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [0] * 20, fps=20.0)
    frames = NewestFrame(VideoFile(clip), threading.Event())
    count = sum(1 for _ in frames)
    assert count + frames.dropped == 20
    wait_until(lambda: frames.join(0.0), "the thread ends")
