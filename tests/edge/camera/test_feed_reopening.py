from __future__ import annotations

import logging
import threading
from itertools import pairwise

import pytest

from edge.camera.reader import GRACE_S, MAX_HANGING
from edge.camera.reopen_backoff import FIRST_DELAY_S
from edge.camera.source import SourceError
from edge.config.settings import CameraSettings
from tests.support.camera.fake_camera import (
    GARBAGE,
    FeedBench,
    capture_threads,
    level_of,
    wait_for_threads,
)
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (SourceError("the cable is loose"), "the cable is loose"),
        (None, "rtsp://cam/1 has ended"),
        (ValueError("bad\n  packet"), "rtsp://cam/1 failed: ValueError: bad packet"),
    ],
)
def test_failed_source_is_closed_and_reopened(
    item: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with FeedBench() as bench:
        bench.show(100)
        first = bench.camera.source
        first.deliver(item)
        bench.wait_for_state("stalled")
        assert bench.feed.status().reason == reason
        assert first.closed.is_set()
        bench.expect_reopening(after_s=FIRST_DELAY_S)
        assert bench.state == "reopening"
        bench.show(101)
        status = bench.feed.status()
        assert (status.state, status.reason, status.reopened) == ("ok", "", 1)
    assert [record.message for record in caplog.records[:4]] == [
        reason,
        "opening it is tried again for up to 100 s (camera.reopen_for_s)",
        "reopening rtsp://cam/1",
        "rtsp://cam/1 delivers frames again",
    ]


def test_source_that_hangs_in_read_is_replaced() -> None:
    with FeedBench() as bench:
        bench.show(100)
        hung = bench.camera.source
        bench.clock.advance(5.1)
        bench.wait_for_state("stalled")
        assert bench.feed.status().reason == "rtsp://cam/1 has delivered nothing for 5 s"
        bench.clock.advance(GRACE_S)
        bench.feed.take(0.0)
        assert len(bench.camera.sources) == 1
        bench.expect_reopening(after_s=FIRST_DELAY_S)
        assert not hung.closed.is_set()
        bench.show(101)
        hung.deliver(77)
        assert hung.closed.wait(5.0)
        assert bench.feed.take(0.0) is None  # the late frame of the hung source is ignored


def test_slow_source_recovers_without_reopening() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.clock.advance(5.5)
        bench.wait_for_state("stalled")
        bench.show(101)
        assert bench.feed.status().state == "ok"
        assert bench.camera.attempts == 1


def test_opening_that_hangs_is_retried() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.camera.open_gate = gate = threading.Event()
        bench.camera.source.deliver(None)
        bench.wait_for_state("stalled")
        bench.clock.advance(FIRST_DELAY_S)
        bench.feed.take(0.0)
        wait_until(lambda: bench.camera.attempts == 2, "the second attempt began")
        bench.camera.open_gate = None
        bench.clock.advance(5.1 + GRACE_S)
        bench.feed.take(0.0)
        assert "could not be opened within 5 s" in bench.feed.status().reason
        bench.expect_reopening(after_s=2 * FIRST_DELAY_S)
        bench.show(101)
        gate.set()
        wait_until(lambda: len(bench.camera.sources) == 3, "the hanging attempt succeeded")
        assert bench.camera.sources[2].closed.wait(5.0)
        assert bench.feed.status().reopened == 1


def test_too_many_hanging_attempts_end_the_run() -> None:
    with FeedBench() as bench:
        bench.show(100)
        for _ in range(MAX_HANGING):
            bench.clock.advance(5.1 + GRACE_S)
            assert bench.feed.take(0.0) is None
            bench.clock.advance(10.0)
            if len(bench.camera.sources) < MAX_HANGING:
                opened = len(bench.camera.sources)
                bench.feed.take(0.0)
                bench.wait_for_opening(opened + 1)
        assert len(capture_threads()) == MAX_HANGING
        with pytest.raises(SourceError, match="3 attempts to read it hang in its driver"):
            bench.feed.take(0.0)
        assert bench.camera.attempts == MAX_HANGING


def test_garbage_counts_as_silence() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.camera.source.deliver(GARBAGE, GARBAGE)
        bench.clock.advance(4.0)
        bench.show(101)
        bench.camera.source.deliver(GARBAGE)
        wait_until(lambda: bench.has_garbage, "the garbage was received")
        bench.clock.advance(5.1)
        bench.wait_for_state("stalled")
        assert "nothing but garbage for 5 s" in bench.feed.status().reason
        bench.clock.advance(GRACE_S)
        bench.feed.take(0.0)
        bench.camera.source.deliver(GARBAGE)
        bench.expect_reopening(after_s=FIRST_DELAY_S)
        bench.show(102)


def test_source_that_stays_lost_ends_the_run() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.camera.open_error = SourceError("no video stream at rtsp://cam/1")
        bench.camera.source.deliver(SourceError("rtsp://cam/1 stopped delivering frames"))
        bench.wait_for_state("stalled")
        for _ in range(99):
            bench.clock.advance(1.0)
            assert bench.feed.take(0.0) is None
            if bench.has_reader:
                wait_for_threads(0)
        assert bench.state == "reopening"
        # The delays are 0.5, 1, 2, 4, 8, 16, 30 and 30 s; the clock advances by 1 s each time.
        assert bench.camera.attempts == 1 + 8
        bench.clock.advance(1.5)
        with pytest.raises(SourceError) as caught:
            bench.feed.take(0.0)
        assert str(caught.value) == (
            "no video stream at rtsp://cam/1; it could not be brought back for 100 s"
        )
        with pytest.raises(SourceError):
            bench.feed.take(0.0)


def test_reopen_for_zero_ends_the_run_at_first_failure() -> None:
    with FeedBench(CameraSettings(source="/dev/video0", reopen_for_s=0.0)) as bench:
        bench.show(100)
        bench.camera.source.deliver(SourceError("it is gone"))
        with pytest.raises(SourceError, match=r"^it is gone$"):
            bench.feed.take(5.0)
        assert bench.camera.attempts == 1


def test_recovered_source_may_fail_for_the_full_time_again() -> None:
    with FeedBench() as bench:
        for round_ in range(5):
            bench.show(100 + round_)
            bench.clock.advance(1.0)
            bench.show(120 + round_)
            bench.camera.open_error = SourceError("off")
            bench.camera.source.deliver(None)
            bench.wait_for_state("stalled")
            bench.clock.advance(60.0)
            bench.camera.open_error = None
            bench.feed.take(0.0)
            bench.wait_for_opening(round_ + 2)
        bench.show(90)
        assert bench.feed.status().reopened == 5


def test_frozen_source_is_ok_only_after_a_change() -> None:
    with FeedBench() as bench:
        bench.show(99)
        bench.clock.advance(1.0)
        bench.show_repeatedly(100, 31)
        assert bench.state == "frozen"
        assert bench.feed.status().reason == (
            "rtsp://cam/1 has delivered the same picture for 30 s"
        )
        bench.expect_reopening(after_s=FIRST_DELAY_S - 1.0)
        bench.camera.source.deliver(100, 100, 100)
        wait_until(bench.camera.source.is_empty, "the source has read every picture")
        assert bench.feed.take(0.1) is None
        assert bench.state == "reopening"
        bench.show(101)
        assert bench.state == "ok"


@pytest.mark.slow
def test_source_that_stays_frozen_ends_the_run() -> None:
    with FeedBench() as bench:
        bench.show(99)

        def show_the_same_picture() -> None:
            for _ in range(400):
                bench.camera.source.deliver(100)
                wait_until(bench.camera.source.is_empty, "the picture was read")
                bench.clock.advance(2.0)
                bench.feed.take(0.01)

        with pytest.raises(SourceError, match="same picture for 30 s; it could not be brought"):
            show_the_same_picture()
        assert bench.clock.now_s - 1000.0 == pytest.approx(31.0 + 100.0, abs=4.0)


def test_black_source_is_reopened_at_growing_intervals() -> None:
    with FeedBench() as bench:
        bench.show(90)
        opened_s = [bench.clock.now_s]
        bench.clock.advance(1.0)
        for _ in range(700):
            bench.camera.source.deliver(3)
            assert level_of(bench.next_frame()) == 3  # the tracker needs frames to end tracks
            bench.clock.advance(1.0)
            opened = len(bench.camera.sources)
            bench.feed.take(0.0)
            if not bench.has_reader:
                assert bench.state == "black"
                bench.clock.advance(1.0)
                bench.feed.take(0.0)
            if bench.state == "reopening":
                bench.wait_for_opening(opened + 1)
                opened_s.append(bench.clock.now_s)
        spans_s = [later - earlier for earlier, later in pairwise(opened_s)]
        assert spans_s == pytest.approx([20, 40, 80, 160, 320], abs=4)
        assert bench.state == "black"
        age_s = bench.feed.status().frame_age_s
        assert age_s is not None
        assert age_s > 600.0
        bench.show(90)
        assert bench.state == "ok"


@pytest.mark.slow
def test_black_camera_that_is_unplugged_ends_the_run() -> None:
    with FeedBench() as bench:
        bench.show(90)
        bench.show_repeatedly(3, 30)
        assert bench.state == "black"
        bench.camera.open_error = SourceError("no camera is connected")

        def wait() -> None:
            for _ in range(200):
                bench.clock.advance(1.0)
                bench.feed.take(0.01)

        with pytest.raises(SourceError, match="connected; it could not be brought back"):
            wait()
