from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edge.camera.feed_state import Opening
from edge.camera.orientation import Orientation
from edge.camera.reader import MAX_HANGING
from edge.camera.reopen_backoff import FIRST_DELAY_S
from edge.camera.source import SourceError
from edge.config.camera_controls import CameraControls
from tests.support.camera.fake_camera import (
    GARBAGE,
    FakeCamera,
    FeedBench,
    changed,
    level_of,
)
from tests.support.waiting import wait_until


def test_other_source_takes_over_when_it_delivers() -> None:
    with FeedBench() as bench:
        bench.show(100)
        old = bench.camera.source
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        new.open_gate = gate = threading.Event()
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: new.attempts == 1, "the new source is being opened")
        assert not bench.feed.settled()
        bench.show(101)  # frames of the old source are still delivered
        gate.set()
        wait_until(lambda: bool(new.sources), "the new source is open")
        assert not bench.feed.settled()
        bench.show(102)
        assert not old.closed.is_set()
        new.source.deliver(GARBAGE, 50)
        bench.wait_until_settled()
        assert not old.closed.is_set()
        old.deliver(103)
        assert old.closed.wait(5.0)
        assert level_of(bench.next_frame()) == 50
        assert bench.state == "ok"
        new.source.deliver(51)
        assert level_of(bench.next_frame()) == 51
        assert bench.feed.status().reopened == 0


def test_other_source_that_cannot_be_opened_is_rejected() -> None:
    with FeedBench() as bench:
        bench.show(100)
        new = FakeCamera(bench.clock)
        new.open_error = SourceError("no video stream at http://other")
        bench.feed.reopen(new.open, changed(source="http://other"))
        with pytest.raises(SourceError, match="http://other"):
            bench.wait_until_settled()
        assert bench.feed.settled()
        bench.show(101)
        assert bench.camera.attempts == 1


def test_silent_other_source_is_rejected_after_the_timeout() -> None:
    with FeedBench() as bench:
        bench.show(100)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        candidate = bench.feed._candidate
        assert candidate is not None
        wait_until(lambda: not isinstance(candidate.state, Opening), "the new source is open")
        for _ in range(6):
            assert not bench.feed.settled()
            bench.clock.advance(1.0)
            bench.show(101)
        bench.clock.advance(0.1)
        with pytest.raises(SourceError, match="http://other has delivered nothing for 5 s"):
            bench.wait_until_settled()
        bench.show(102)
        new.source.deliver(1)
        assert new.source.closed.wait(5.0)


def test_too_many_hanging_candidates_are_refused() -> None:
    with FeedBench() as bench:
        new = FakeCamera(bench.clock)
        new.open_gate = gate = threading.Event()
        for _ in range(MAX_HANGING):
            bench.feed.reopen(new.open, changed(source="http://other"))
        with pytest.raises(SourceError, match="3 other sources hang"):
            bench.feed.reopen(new.open, changed(source="http://other"))
        assert bench.feed.settled()
        bench.show(100)
        bench.camera.source.deliver(None)
        bench.wait_for_state("stalled")
        bench.expect_reopening(after_s=FIRST_DELAY_S)
        bench.show(101)
        new.open_error = SourceError("no")
        gate.set()


def test_lost_source_is_not_given_up_during_a_change() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.camera.open_error = SourceError("it is gone")
        bench.camera.source.deliver(None)
        bench.wait_for_state("stalled")
        bench.clock.advance(200.0)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        assert bench.feed.take(0.0) is None
        wait_until(lambda: bool(new.sources), "the new source is open")
        new.source.deliver(50)
        bench.wait_until_settled()
        assert level_of(bench.next_frame()) == 50


def test_exit_closes_the_candidate() -> None:
    with FeedBench() as bench:
        bench.show(100)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: bool(new.sources), "the new source is open")
    assert new.source.closed.is_set()


def test_recording_of_one_picture_takes_over_and_ends() -> None:
    with FeedBench() as bench:
        bench.show(100)
        new = FakeCamera(bench.clock, live=False)
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: bool(new.sources), "the new source is open")
        bench.clock.advance(1.0)
        new.source.deliver(50, None)
        assert new.source.closed.wait(5.0)
        bench.wait_until_settled()
        assert level_of(bench.next_frame()) == 50
        assert bench.feed.over


def exclusive_open(bench: FeedBench) -> Callable[[], Any]:
    """Return a function that opens the camera, and fails while an earlier source of it is open."""

    def open_camera() -> Any:
        if not all(source.closed.is_set() for source in bench.camera.sources):
            raise SourceError("device or resource busy")
        return bench.camera.open()

    return open_camera


def test_new_settings_close_the_same_camera_first() -> None:
    with FeedBench() as bench:
        bench.show(100)
        first = bench.camera.source
        bench.feed.reopen(exclusive_open(bench), changed(width_px=1280))
        assert not bench.feed.settled()
        assert bench.feed.take(0.0) is None  # `take` does not wait for the old source's reader
        assert bench.state == "reopening"
        first.deliver(100)
        wait_until(
            lambda: len(bench.camera.sources) == 2, "the camera is open with the new settings"
        )
        bench.camera.source.deliver(102)
        wait_until(bench.feed.settled, "the change is complete")
        assert level_of(bench.next_frame()) == 102
        assert bench.state == "ok"


def test_refused_settings_leave_the_previous_ones() -> None:
    with FeedBench() as bench:
        bench.show(100)

        def refuse() -> Any:
            raise SourceError("no such size")

        bench.feed.reopen(refuse, changed(width_px=1280))
        bench.camera.source.deliver(100)
        with pytest.raises(SourceError, match="no such size"):
            bench.wait_until_settled()
        assert bench.state == "reopening"
        assert bench.feed.status().reason == "no such size"
        bench.expect_reopening(after_s=FIRST_DELAY_S)
        bench.show(101)


def test_settings_of_the_frame_check_apply_without_reopening() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.feed.reopen(bench.camera.open, changed(frozen_after_s=3.0, name="back-door"))
        assert bench.camera.attempts == 1
        bench.clock.advance(1.0)
        bench.show_repeatedly(101, 10)
        assert bench.state == "frozen"
        assert "same picture for 3 s" in bench.feed.status().reason


def test_orientation_and_controls_change_without_reopening() -> None:
    with FeedBench() as bench:
        bench.show(100)
        source = bench.camera.source
        settings = changed(rotate=90, controls=CameraControls(gain=2.0))
        source.deliver(2)
        wait_until(source.is_empty, "a frame is read before the change")
        bench.feed.reopen(bench.camera.open, settings)
        assert bench.feed.settled()
        # Also the frame that was read before is turned, as the new settings apply from now on.
        frame = bench.next_frame()
        assert frame.size_px == (160, 120)
        assert frame.orientation == Orientation(1)
        source.deliver(3)
        assert bench.next_frame().size_px == (160, 120)
        source.deliver(4)
        wait_until(lambda: source.adjusted == [settings], "the source applies the settings")
        assert bench.camera.attempts == 1
        # Settings that the source does not use are not passed to it.
        bench.feed.reopen(bench.camera.open, msgspec.structs.replace(settings, frozen_after_s=99.0))
        assert bench.next_frame().size_px == (160, 120)
        source.deliver(5)
        bench.next_frame()
        assert source.adjusted == [settings]
