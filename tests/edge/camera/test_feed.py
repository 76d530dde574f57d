from __future__ import annotations

import logging
import threading

import pytest

from edge.camera.reopen_backoff import FIRST_DELAY_S
from edge.camera.source import AbsentError, Frame, SourceError
from tests.support.camera.fake_camera import (
    FeedBench,
    capture_threads,
    changed,
    wait_for_threads,
)
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("error", "reopen_for_s"),
    [(SourceError("no such file"), 100.0), (AbsentError("no such camera"), 0.0)],
)
def test_permanent_error_at_the_start_is_raised(error: SourceError, reopen_for_s: float) -> None:
    bench = FeedBench(changed(reopen_for_s=reopen_for_s))
    bench.camera.open_error = error
    with pytest.raises(SourceError, match=str(error)), bench:
        pass
    assert bench.camera.attempts == 1


def test_absent_camera_at_the_start_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    bench = FeedBench()
    bench.camera.open_error = AbsentError("no video stream at rtsp://cam/1")
    with bench:
        status = bench.feed.status()
        assert (status.state, status.reason) == ("stalled", "no video stream at rtsp://cam/1")
        assert caplog.messages == [
            "no video stream at rtsp://cam/1",
            "opening it is tried again for up to 100 s (camera.reopen_for_s)",
        ]
        assert bench.feed.take(0.0) is None
        bench.clock.advance(FIRST_DELAY_S)
        bench.wait_for_state("reopening")
        wait_until(lambda: bench.camera.attempts == 2, "a further attempt")
        wait_for_threads(0)
        # udev may set the permissions of a camera some time after it was plugged in, so that an
        # error which is permanent at the first attempt is temporary at later ones.
        bench.camera.open_error = SourceError("no permission")
        bench.clock.advance(2 * FIRST_DELAY_S)
        bench.feed.take(0.0)
        wait_until(lambda: bench.feed.status().reason == "no permission", "a further attempt")
        bench.camera.open_error = None
        bench.expect_reopening(after_s=4 * FIRST_DELAY_S)
        bench.show(101)
        status = bench.feed.status()
        assert (status.state, status.reason, status.reopened) == ("ok", "", 0)


def test_camera_that_stays_absent_ends_the_run() -> None:
    bench = FeedBench()
    bench.camera.open_error = AbsentError("no such camera")
    with bench:
        bench.clock.advance(99.9)
        assert bench.feed.take(0.0) is None
        wait_for_threads(0)
        bench.clock.advance(0.2)
        with pytest.raises(SourceError, match="no such camera; it could not be opened for 100 s"):
            bench.feed.take(0.0)


def test_hanging_camera_does_not_delay_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.feed.START_WAIT_S", 0.01)
    bench = FeedBench()
    bench.camera.open_gate = gate = threading.Event()
    with bench:
        assert bench.state == "starting"
        assert bench.feed.take(0.0) is None
        bench.clock.advance(5.1)
        bench.wait_for_state("stalled")
        assert "could not be opened within 5 s" in bench.feed.status().reason
        bench.camera.open_gate = None
        gate.set()
        wait_until(lambda: not bench.is_opening, "the source is open")
        bench.show(100)


def test_permanent_error_after_the_start_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.feed.START_WAIT_S", 0.01)
    bench = FeedBench()
    bench.camera.open_gate = gate = threading.Event()
    bench.camera.open_error = SourceError("no permission")
    with bench:
        gate.set()
        with pytest.raises(SourceError, match=r"^no permission$"):
            bench.feed.take(5.0)


def test_take_returns_newest_frame_and_counts_dropped_ones() -> None:
    with FeedBench() as bench:
        assert bench.feed.take(0.0) is None
        assert bench.state == "starting"
        bench.camera.source.deliver(*range(100, 105))
        wait_until(lambda: bench.feed.status().dropped == 4, "four frames were dropped")
        assert bench.next_frame().index == 5
        assert bench.feed.take(0.0) is None
        assert bench.state == "ok"


def test_frame_age_is_that_of_the_newest_good_frame() -> None:
    with FeedBench() as bench:
        assert bench.feed.status().frame_age_s is None
        bench.show(100)
        bench.clock.advance(2.5)
        assert bench.feed.status().frame_age_s == 2.5


def test_stop_event_ends_take() -> None:
    with FeedBench() as bench:
        taken: list[Frame | None] = []
        waiting = threading.Thread(target=lambda: taken.append(bench.feed.take(60.0)))
        waiting.start()
        wait_for_threads(1)
        bench.stopped.set()
        waiting.join(5.0)
        assert taken == [None]


def test_each_state_change_is_logged_once_without_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with FeedBench() as bench:
        bench.show(100)
        bench.camera.open_error = SourceError("no")
        bench.camera.source.deliver(RuntimeError("what"))
        bench.wait_for_state("stalled")
        for _ in range(50):
            bench.clock.advance(1.0)
            bench.feed.take(0.01)
    assert "secret" not in caplog.text
    levels = [record.levelname for record in caplog.records if record.levelname != "DEBUG"]
    assert levels == ["WARNING", "WARNING", "INFO"]


def test_request_stop_returns_before_the_source_is_closed() -> None:
    with FeedBench() as bench:
        bench.show(100)
        bench.feed.request_stop()
        assert bench.feed.take(60.0) is None
        assert not bench.camera.source.closed.is_set()
        bench.camera.source.deliver(101)
        assert bench.camera.source.closed.wait(5.0)


@pytest.mark.slow
def test_exit_leaves_a_hanging_source_behind() -> None:
    with FeedBench(releases_sources=False) as bench:
        bench.show(100)
        hung = bench.camera.source
    assert not hung.closed.is_set()
    assert len(capture_threads()) == 1
    hung.deliver(1)
    assert hung.closed.wait(5.0)


def test_feed_without_take_closes_its_source() -> None:
    with FeedBench() as bench:
        pass
    assert bench.camera.source.closed.is_set()
    assert bench.feed.take(0.0) is None
