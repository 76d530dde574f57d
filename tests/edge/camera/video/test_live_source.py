from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.camera.frame_rate_limit import FrameRateLimit, accept_all
from edge.camera.source import SourceError
from edge.camera.video.live_source import MAX_FAILED_READS, LiveSource
from edge.common.arrays import Pixels
from tests.support.footage.pictures import flat


class FakeCapture:
    """An open camera with 30 frames per second.

    Every read for whose number `fails` returns True fails; the first read has the number 1.
    """

    def __init__(self, fails: Callable[[int], bool] = lambda number: False) -> None:
        self.now_s = 0.0
        self.grabbed = self.decoded = 0
        self.released = False
        self._fails = fails

    def grab(self) -> bool:
        self.now_s += 1 / 30
        self.grabbed += 1
        return not self._fails(self.grabbed)

    def retrieve(self) -> Pixels:
        self.decoded += 1
        return flat(100)

    def release(self) -> None:
        self.released = True


def source_of(
    capture: FakeCapture, timeout_s: float, frame_filter: Callable[[float], bool] = accept_all
) -> LiveSource:
    return LiveSource(capture, "camera", timeout_s, lambda: capture.now_s, frame_filter)


def test_skipped_frames_are_not_decoded() -> None:
    capture = FakeCapture()
    source = source_of(capture, 5.0, FrameRateLimit(10.0))
    times_s = [frame.captured_at_s for _ in range(20) if (frame := source.read())]
    assert capture.decoded == 20
    assert times_s == pytest.approx([1 / 30 + n / 10 for n in range(20)])


def test_failures_between_skipped_frames_do_not_add_up() -> None:
    capture = FakeCapture(lambda number: number % 5 == 0)
    source = source_of(capture, 60.0, FrameRateLimit(0.5))
    assert len([frame for _ in range(10) if (frame := source.read())]) == 10


def test_single_failures_are_ignored() -> None:
    source = source_of(FakeCapture(lambda number: number < MAX_FAILED_READS), 60.0)
    frame = source.read()
    assert frame is not None
    assert frame.index == 0


def test_source_is_lost_after_too_many_failures() -> None:
    capture = FakeCapture(lambda number: True)
    with pytest.raises(SourceError, match="camera stopped delivering frames"):
        source_of(capture, 60.0).read()
    assert capture.grabbed == MAX_FAILED_READS


def test_source_is_lost_when_failures_exceed_the_timeout() -> None:
    capture = FakeCapture(lambda number: True)
    with pytest.raises(SourceError, match="camera stopped delivering frames"):
        source_of(capture, 0.05).read()
    assert capture.grabbed == 2


def test_close_releases_the_capture() -> None:
    capture = FakeCapture()
    source_of(capture, 5.0).close()
    assert capture.released
