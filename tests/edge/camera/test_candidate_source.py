from __future__ import annotations

import threading

import pytest

from edge.camera.candidate_source import CandidateSource
from edge.camera.feed_state import Ended, Reading
from edge.camera.reader import GRACE_S, Reader, StoppingReaders
from edge.camera.source import Frame, SourceError
from tests.support.camera.fake_camera import GARBAGE, FakeCamera, changed
from tests.support.clock import Clock
from tests.support.footage.pictures import flat
from tests.support.waiting import wait_until


class NullListener:
    """A listener that ignores every report of a reader."""

    def on_opened(self, reader: Reader, live: bool) -> None:
        pass

    def on_frame(self, reader: Reader, frame: Frame) -> bool:
        return True

    def on_ended(self, reader: Reader, error: Exception | None) -> None:
        pass


def candidate_of(camera: FakeCamera, same_device: StoppingReaders | None = None) -> CandidateSource:
    settings = changed(source="http://me:secret@other")
    return CandidateSource(camera.open, settings, NullListener(), camera.clock, same_device)


def test_candidate_is_ready_after_a_picture() -> None:
    candidate = candidate_of(FakeCamera(Clock()))
    candidate.opened(live=True)
    assert not candidate.is_ready()
    assert not candidate.frame_arrived(Frame(GARBAGE, 0.0, 0))
    assert not candidate.is_ready()
    assert candidate.frame_arrived(Frame(flat(50), 0.0, 1))
    assert candidate.is_ready()


def test_candidate_that_fails_is_rejected() -> None:
    candidate = candidate_of(FakeCamera(Clock()))
    candidate.ended(ValueError("bad packet"))
    with pytest.raises(SourceError, match="http://other failed: ValueError: bad packet"):
        candidate.is_ready()


def test_candidate_that_ends_after_a_picture_is_ready() -> None:
    candidate = candidate_of(FakeCamera(Clock()))
    candidate.opened(live=False)
    candidate.frame_arrived(Frame(flat(50), 0.0, 0))
    candidate.ended(None)
    assert candidate.is_ready()
    assert candidate.end == Ended(None)


@pytest.mark.parametrize(
    ("opened", "garbage", "message"),
    [
        (False, False, "http://other could not be opened within 5 s"),
        (True, False, "http://other has delivered nothing for 5 s"),
        (True, True, "http://other has delivered nothing but garbage for 5 s"),
    ],
)
def test_silent_candidate_is_rejected_after_the_timeout(
    opened: bool, garbage: bool, message: str
) -> None:
    camera = FakeCamera(Clock())
    candidate = candidate_of(camera)
    if opened:
        candidate.opened(live=True)
    if garbage:
        candidate.frame_arrived(Frame(GARBAGE, 0.0, 0))
    camera.clock.advance(5.0 + GRACE_S)
    assert not candidate.is_ready()
    camera.clock.advance(0.1)
    with pytest.raises(SourceError, match=message):
        candidate.is_ready()


def test_time_out_starts_again_when_the_source_is_open() -> None:
    camera = FakeCamera(Clock())
    candidate = candidate_of(camera)
    camera.clock.advance(5.0)
    candidate.opened(live=True)
    camera.clock.advance(5.0)
    assert candidate.state == Reading(True, 1005.0)
    assert not candidate.is_ready()


def test_source_is_opened_after_the_readers_of_the_device() -> None:
    camera = FakeCamera(Clock())
    camera.open_gate = gate = threading.Event()
    earlier = Reader(camera.open, NullListener(), camera.clock)
    earlier.start()
    wait_until(lambda: camera.attempts == 1, "the device is being opened")
    same_device = StoppingReaders()
    same_device.add(earlier)
    candidate = candidate_of(camera, same_device)
    assert candidate.replaces_same_device
    candidate.reader.start()
    assert camera.attempts == 1
    gate.set()
    wait_until(lambda: len(camera.sources) == 2, "the candidate is open")
    assert camera.sources[0].closed.is_set()
    candidate.reader.stop()
    camera.source.deliver(None)
    assert candidate.reader.join(5.0)
