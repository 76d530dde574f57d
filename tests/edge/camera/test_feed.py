from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.camera.feed import MAX_HANGING, CameraFeed
from edge.camera.reader import GRACE_S
from edge.camera.recordings import PictureFolder, VideoFile
from edge.camera.reopen_backoff import FIRST_DELAY_S
from edge.camera.source import AbsentError, Frame, SourceError
from edge.common.errors import UserError
from edge.config.settings import CameraSettings
from tests.support.brokers import wait_until
from tests.support.fake_camera import (
    GARBAGE,
    Clock,
    FakeCamera,
    capture_threads,
    wait_for_threads,
)
from tests.support.pictures import write_clip, write_picture

SETTINGS = CameraSettings(
    source="rtsp://me:secret@cam/1",
    timeout_s=5.0,
    black_after_s=20.0,
    frozen_after_s=30.0,
    reopen_for_s=100.0,
)


class Bench:
    """A feed on a fake camera and a clock that stands still."""

    def __init__(
        self, settings: CameraSettings = SETTINGS, live: bool = True, lets_go: bool = True
    ) -> None:
        self.clock = Clock()
        self.camera = FakeCamera(self.clock, live)
        self.cameras = [self.camera]
        self.stopped = threading.Event()
        self._lets_go = lets_go
        self.feed = CameraFeed(
            self.camera.open, settings, self.stopped, self.clock, random=lambda: 0.0
        )

    def __enter__(self) -> Bench:
        self.feed.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lets_go:
            threading.Thread(target=self._let_go).start()
        self.feed.__exit__()

    def _let_go(self) -> None:
        """What hangs in reading comes back, but only when nobody wants it any more."""
        wait_until(lambda: self.feed._closed, "the feed is closed")
        for camera in self.cameras:
            for source in camera.sources:
                source.does(1)

    @property
    def state(self) -> str:
        return self.feed.status().state

    def next_frame(self) -> Frame:
        frames: list[Frame] = []

        def came() -> bool:
            frame = self.feed.take(0.1)
            if frame is not None:
                frames.append(frame)
            return bool(frames)

        wait_until(came, "a frame")
        return frames[0]

    def shows(self, level: int) -> None:
        """The source delivers a picture, and it is taken."""
        self.camera.source.does(level)
        assert int(self.next_frame().image_bgr[0, 0, 0]) == level

    def becomes(self, state: str) -> None:
        def reached() -> bool:
            self.feed.take(0.0)
            return self.state == state

        wait_until(reached, f"{state} instead of {self.feed.status()}")

    def waits_for_opening(self, number: int) -> None:
        def opened() -> bool:
            return len(self.camera.sources) == number and not self.feed._opening

        wait_until(opened, f"opening {number}")

    def settles(self) -> None:
        """What `reopen` asked for is done."""

        def settled() -> bool:
            self.feed.take(0.0)
            return self.feed.settled()

        wait_until(settled, "the change is settled")

    def is_opened_anew(self, after_s: float) -> None:
        """Not before that time has passed, and then it is."""
        opened = len(self.camera.sources)
        self.clock.passes(after_s - 0.01)
        assert self.feed.take(0.0) is None
        assert len(self.camera.sources) == opened
        self.clock.passes(0.02)
        self.feed.take(0.0)
        self.waits_for_opening(opened + 1)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = len(capture_threads())
    yield
    wait_for_threads(before)


@pytest.mark.parametrize(
    ("error", "reopen_for_s"),
    [(SourceError("no such file"), 100.0), (AbsentError("no such camera"), 0.0)],
)
def test_a_mistake_is_told_at_once_and_so_is_what_nobody_wants_to_wait_for(
    error: SourceError, reopen_for_s: float
) -> None:
    bench = Bench(changed(reopen_for_s=reopen_for_s))
    bench.camera.refuses = error
    with pytest.raises(SourceError, match=str(error)), bench:
        pass
    assert bench.camera.tries == 1


def test_one_that_is_absent_at_the_start_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench()
    bench.camera.refuses = AbsentError("no video stream at rtsp://cam/1")
    with bench:
        status = bench.feed.status()
        assert (status.state, status.reason) == ("stalled", "no video stream at rtsp://cam/1")
        assert caplog.messages == ["no video stream at rtsp://cam/1", "it is tried again for 100 s"]
        assert bench.feed.take(0.0) is None
        bench.clock.passes(FIRST_DELAY_S)
        bench.becomes("reopening")
        wait_until(lambda: bench.camera.tries == 2, "it is tried again")
        wait_for_threads(0)
        # A camera that was just plugged in may not be ours yet: that is no mistake any more.
        bench.camera.refuses = SourceError("no permission")
        bench.clock.passes(2 * FIRST_DELAY_S)
        bench.feed.take(0.0)
        wait_until(lambda: bench.feed.status().reason == "no permission", "it is tried again")
        bench.camera.refuses = None
        bench.is_opened_anew(after_s=4 * FIRST_DELAY_S)
        bench.shows(101)
        status = bench.feed.status()
        assert (status.state, status.reason, status.reopened) == ("ok", "", 0)


def test_one_that_never_comes_ends_the_run() -> None:
    bench = Bench()
    bench.camera.refuses = AbsentError("no such camera")
    with bench:
        bench.clock.passes(99.9)
        assert bench.feed.take(0.0) is None
        wait_for_threads(0)
        bench.clock.passes(0.2)
        with pytest.raises(SourceError, match="no such camera; it could not be opened for 100 s"):
            bench.feed.take(0.0)


def test_one_that_hangs_at_the_start_does_not_keep_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.feed.START_S", 0.01)
    bench = Bench()
    bench.camera.hangs = hangs = threading.Event()
    with bench:
        assert bench.state == "starting"
        assert bench.feed.take(0.0) is None
        bench.clock.passes(5.1)
        bench.becomes("stalled")
        assert "could not be opened within 5 s" in bench.feed.status().reason
        bench.camera.hangs = None
        hangs.set()
        wait_until(lambda: not bench.feed._opening, "it opens after all")
        bench.shows(100)


def test_a_mistake_that_shows_late_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.feed.START_S", 0.01)
    bench = Bench()
    bench.camera.hangs = hangs = threading.Event()
    bench.camera.refuses = SourceError("no permission")
    with bench:
        hangs.set()
        with pytest.raises(SourceError, match=r"^no permission$"):
            bench.feed.take(5.0)


def test_the_newest_wins_and_what_was_skipped_is_counted() -> None:
    with Bench() as bench:
        assert bench.feed.take(0.0) is None
        assert bench.state == "starting"
        bench.camera.source.does(*range(100, 105))
        wait_until(lambda: bench.feed.status().dropped == 4, "four are skipped")
        assert bench.next_frame().index == 5
        assert bench.feed.take(0.0) is None
        assert bench.state == "ok"


def test_the_age_is_that_of_the_newest_good_frame() -> None:
    with Bench() as bench:
        assert bench.feed.status().frame_age_s is None
        bench.shows(100)
        bench.clock.passes(2.5)
        assert bench.feed.status().frame_age_s == 2.5


def test_a_stop_ends_the_waiting() -> None:
    with Bench() as bench:
        taken: list[Frame | None] = []
        waiting = threading.Thread(target=lambda: taken.append(bench.feed.take(60.0)))
        waiting.start()
        wait_for_threads(1)
        bench.stopped.set()
        waiting.join(5.0)
        assert taken == [None]


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        (SourceError("the cable is loose"), "the cable is loose"),
        (None, "rtsp://cam/1 has ended"),
        (ValueError("bad\n  packet"), "rtsp://cam/1 failed: ValueError: bad packet"),
    ],
)
def test_one_that_fails_or_ends_is_closed_and_opened_anew(
    thing: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Bench() as bench:
        bench.shows(100)
        first = bench.camera.source
        first.does(thing)
        bench.becomes("stalled")
        assert bench.feed.status().reason == reason
        assert first.closed.is_set()
        bench.is_opened_anew(after_s=FIRST_DELAY_S)
        assert bench.state == "reopening"
        bench.shows(101)
        status = bench.feed.status()
        assert (status.state, status.reason, status.reopened) == ("ok", "", 1)
    assert [record.message for record in caplog.records[:3]] == [
        reason,
        "opening rtsp://cam/1 anew",
        "rtsp://cam/1 delivers again",
    ]


def test_one_that_hangs_in_reading_is_left_behind_and_closes_itself_when_it_comes_back() -> None:
    with Bench() as bench:
        bench.shows(100)
        hung = bench.camera.source
        bench.clock.passes(5.1)
        bench.becomes("stalled")
        assert bench.feed.status().reason == "rtsp://cam/1 has delivered nothing for 5 s"
        bench.clock.passes(GRACE_S)
        bench.feed.take(0.0)
        assert len(bench.camera.sources) == 1
        bench.is_opened_anew(after_s=FIRST_DELAY_S)
        assert not hung.closed.is_set()
        bench.shows(101)
        hung.does(77)
        assert hung.closed.wait(5.0)
        assert bench.feed.take(0.0) is None  # what came too late is nobody's newest frame


def test_one_that_is_merely_slow_is_ok_again_without_being_opened_anew() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.clock.passes(5.5)
        bench.becomes("stalled")
        bench.shows(101)
        assert bench.feed.status().state == "ok"
        assert bench.camera.tries == 1


def test_one_that_hangs_in_being_opened_is_tried_again() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.camera.hangs = hangs = threading.Event()
        bench.camera.source.does(None)
        bench.becomes("stalled")
        bench.clock.passes(FIRST_DELAY_S)
        bench.feed.take(0.0)
        wait_until(lambda: bench.camera.tries == 2, "it is opened, and hangs")
        bench.camera.hangs = None
        bench.clock.passes(5.1 + GRACE_S)
        bench.feed.take(0.0)
        assert "could not be opened within 5 s" in bench.feed.status().reason
        bench.is_opened_anew(after_s=2 * FIRST_DELAY_S)
        bench.shows(101)
        hangs.set()
        wait_until(lambda: len(bench.camera.sources) == 3, "the hung one comes back")
        assert bench.camera.sources[2].closed.wait(5.0)
        assert bench.feed.status().reopened == 1


def test_a_driver_that_swallows_every_attempt_ends_the_run() -> None:
    with Bench() as bench:
        bench.shows(100)
        for _ in range(MAX_HANGING):
            bench.clock.passes(5.1 + GRACE_S)
            assert bench.feed.take(0.0) is None
            bench.clock.passes(10.0)
            if len(bench.camera.sources) < MAX_HANGING:
                opened = len(bench.camera.sources)
                bench.feed.take(0.0)
                bench.waits_for_opening(opened + 1)
        assert len(capture_threads()) == MAX_HANGING
        with pytest.raises(SourceError, match="3 attempts hang in its driver"):
            bench.feed.take(0.0)
        assert bench.camera.tries == MAX_HANGING


def test_garbage_is_no_frame() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.camera.source.does(GARBAGE, GARBAGE)
        bench.clock.passes(4.0)
        bench.shows(101)
        bench.camera.source.does(GARBAGE)
        wait_until(lambda: bench.feed._garbage, "the garbage is seen")
        bench.clock.passes(5.1)
        bench.becomes("stalled")
        assert "nothing but garbage for 5 s" in bench.feed.status().reason
        bench.clock.passes(GRACE_S)
        bench.feed.take(0.0)
        bench.camera.source.does(GARBAGE)
        bench.is_opened_anew(after_s=FIRST_DELAY_S)
        bench.shows(102)


def test_one_that_is_gone_for_good_ends_the_run_in_one_line() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.camera.refuses = SourceError("no video stream at rtsp://cam/1")
        bench.camera.source.does(SourceError("rtsp://cam/1 stopped delivering frames"))
        bench.becomes("stalled")
        for _ in range(99):
            bench.clock.passes(1.0)
            assert bench.feed.take(0.0) is None
            if bench.feed._reader is not None:
                wait_for_threads(0)
        assert bench.state == "reopening"
        # 0.5, 1, 2 … 30 seconds apart, hardly more than the clock's steps of one second.
        assert bench.camera.tries == 1 + 8
        bench.clock.passes(1.5)
        with pytest.raises(SourceError) as caught:
            bench.feed.take(0.0)
        assert str(caught.value) == (
            "no video stream at rtsp://cam/1; it could not be brought back for 100 s"
        )
        with pytest.raises(SourceError):
            bench.feed.take(0.0)


def test_no_patience_at_all_ends_the_run_at_the_first_failure() -> None:
    with Bench(CameraSettings(source="/dev/video0", reopen_for_s=0.0)) as bench:
        bench.shows(100)
        bench.camera.source.does(SourceError("it is gone"))
        with pytest.raises(SourceError, match=r"^it is gone$"):
            bench.feed.take(5.0)
        assert bench.camera.tries == 1


def test_one_that_comes_back_has_all_patience_again() -> None:
    with Bench() as bench:
        for round_ in range(5):
            bench.shows(100 + round_)
            bench.clock.passes(1.0)
            bench.shows(120 + round_)
            bench.camera.refuses = SourceError("off")
            bench.camera.source.does(None)
            bench.becomes("stalled")
            bench.clock.passes(60.0)
            bench.camera.refuses = None
            bench.feed.take(0.0)
            bench.waits_for_opening(round_ + 2)
        bench.shows(90)
        assert bench.feed.status().reopened == 5


def keeps_showing(bench: Bench, level: int, seconds: int) -> None:
    """The same picture, once a second, until it is lost or the time is over."""
    for _ in range(seconds):
        if bench.feed._reader is None:
            return
        bench.camera.source.does(level)
        wait_until(lambda: bench.feed._sign_s == bench.clock.now_s, "the picture is judged")
        bench.feed.take(0.0)
        bench.clock.passes(1.0)


def test_a_frozen_picture_is_noticed_and_one_picture_is_no_proof_of_life() -> None:
    with Bench() as bench:
        bench.shows(99)
        bench.clock.passes(1.0)
        keeps_showing(bench, 100, 31)
        assert bench.state == "frozen"
        assert bench.feed.status().reason == (
            "rtsp://cam/1 has delivered the same picture for 30 s"
        )
        bench.is_opened_anew(after_s=FIRST_DELAY_S - 1.0)
        bench.camera.source.does(100, 100, 100)
        wait_until(bench.camera.source.is_empty, "all is read")
        assert bench.feed.take(0.1) is None
        assert bench.state == "reopening"
        bench.shows(101)
        assert bench.state == "ok"


def test_one_that_stays_frozen_ends_the_run() -> None:
    with Bench() as bench:
        bench.shows(99)

        def goes_on() -> None:
            for _ in range(400):
                bench.camera.source.does(100)
                wait_until(bench.camera.source.is_empty, "the picture is read")
                bench.clock.passes(2.0)
                bench.feed.take(0.01)

        with pytest.raises(SourceError, match="same picture for 30 s; it could not be brought"):
            goes_on()
        assert bench.clock.now_s - 1000.0 == pytest.approx(31.0 + 100.0, abs=4.0)


def test_a_black_picture_is_tried_again_at_growing_intervals_and_never_ends_the_run() -> None:
    with Bench() as bench:
        bench.shows(90)
        opened_s = [bench.clock.now_s]
        bench.clock.passes(1.0)
        for _ in range(700):
            bench.camera.source.does(3)
            assert int(bench.next_frame().image_bgr[0, 0, 0]) == 3  # tracks must be able to end
            bench.clock.passes(1.0)
            opened = len(bench.camera.sources)
            bench.feed.take(0.0)
            if bench.feed._reader is None:
                assert bench.state == "black"
                bench.clock.passes(1.0)
                bench.feed.take(0.0)
            if bench.state == "reopening":
                bench.waits_for_opening(opened + 1)
                opened_s.append(bench.clock.now_s)
        spans_s = [later - earlier for earlier, later in pairwise(opened_s)]
        assert spans_s == pytest.approx([20, 40, 80, 160, 320], abs=4)
        assert bench.state == "black"
        age_s = bench.feed.status().frame_age_s
        assert age_s is not None
        assert age_s > 600.0
        bench.shows(90)
        assert bench.state == "ok"


def test_a_black_camera_that_is_pulled_out_is_a_failed_one() -> None:
    with Bench() as bench:
        bench.shows(90)
        keeps_showing(bench, 3, 30)
        assert bench.state == "black"
        bench.camera.refuses = SourceError("it is not there")
        for _ in range(200):
            bench.clock.passes(1.0)
            try:
                bench.feed.take(0.01)
            except SourceError as error:
                assert "it is not there; it could not" in str(error)  # noqa: PT017
                break
        else:
            pytest.fail("it goes on for ever")


def test_each_change_is_logged_once_and_no_password_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Bench() as bench:
        bench.shows(100)
        bench.camera.refuses = SourceError("no")
        bench.camera.source.does(RuntimeError("what"))
        bench.becomes("stalled")
        for _ in range(50):
            bench.clock.passes(1.0)
            bench.feed.take(0.01)
    assert "secret" not in caplog.text
    levels = [record.levelname for record in caplog.records if record.levelname != "DEBUG"]
    assert levels == ["WARNING", "INFO"]


def test_letting_go_waits_for_nothing_and_what_comes_back_closes_itself() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.feed.leave()
        assert bench.feed.take(60.0) is None
        assert not bench.camera.source.closed.is_set()
        bench.camera.source.does(101)
        assert bench.camera.source.closed.wait(5.0)


def test_leaving_does_not_wait_for_ever_for_what_hangs() -> None:
    with Bench(lets_go=False) as bench:
        bench.shows(100)
        hung = bench.camera.source
    assert not hung.closed.is_set()
    assert len(capture_threads()) == 1
    hung.does(1)
    assert hung.closed.wait(5.0)


def test_a_feed_that_was_never_taken_from_closes_its_source() -> None:
    with Bench() as bench:
        pass
    assert bench.camera.source.closed.is_set()
    assert bench.feed.take(0.0) is None


def changed(**changes: Any) -> CameraSettings:
    return CameraSettings(
        **{**{f: getattr(SETTINGS, f) for f in SETTINGS.__struct_fields__}, **changes}
    )


def test_another_source_takes_over_when_it_delivers() -> None:
    with Bench() as bench:
        bench.shows(100)
        old = bench.camera.source
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        new.hangs = hangs = threading.Event()
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: new.tries == 1, "it is opened, and hangs")
        assert not bench.feed.settled()
        bench.shows(101)  # the old one goes on
        hangs.set()
        wait_until(lambda: bool(new.sources), "it is open")
        assert not bench.feed.settled()
        bench.shows(102)
        assert not old.closed.is_set()
        new.source.does(GARBAGE, 50)
        bench.settles()
        assert not old.closed.is_set()
        old.does(103)
        assert old.closed.wait(5.0)
        assert int(bench.next_frame().image_bgr[0, 0, 0]) == 50
        assert bench.state == "ok"
        new.source.does(51)
        assert int(bench.next_frame().image_bgr[0, 0, 0]) == 51
        assert bench.feed.status().reopened == 0


def test_another_source_that_cannot_be_opened_changes_nothing() -> None:
    with Bench() as bench:
        bench.shows(100)
        new = FakeCamera(bench.clock)
        new.refuses = SourceError("no video stream at http://other")
        bench.feed.reopen(new.open, changed(source="http://other"))
        with pytest.raises(SourceError, match="http://other"):
            bench.settles()
        assert bench.feed.settled()
        bench.shows(101)
        assert bench.camera.tries == 1


def test_another_source_that_says_nothing_is_refused_in_time() -> None:
    with Bench() as bench:
        bench.shows(100)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        trial = bench.feed._trial
        assert trial is not None
        wait_until(lambda: not trial._opening, "it is open")
        for _ in range(6):
            assert not bench.feed.settled()
            bench.clock.passes(1.0)
            bench.shows(101)
        bench.clock.passes(0.1)
        with pytest.raises(SourceError, match="http://other has delivered nothing for 5 s"):
            bench.settles()
        bench.shows(102)
        new.source.does(1)
        assert new.source.closed.wait(5.0)


def test_too_many_sources_that_hang_are_refused_and_do_not_count_for_ours() -> None:
    with Bench() as bench:
        new = FakeCamera(bench.clock)
        new.hangs = hangs = threading.Event()
        for _ in range(MAX_HANGING):
            bench.feed.reopen(new.open, changed(source="http://other"))
        with pytest.raises(SourceError, match="3 other sources hang"):
            bench.feed.reopen(new.open, changed(source="http://other"))
        assert bench.feed.settled()
        bench.shows(100)
        bench.camera.source.does(None)
        bench.becomes("stalled")
        bench.is_opened_anew(after_s=FIRST_DELAY_S)
        bench.shows(101)
        new.refuses = SourceError("no")
        hangs.set()


def test_a_camera_that_is_away_does_not_end_the_run_while_another_is_tried() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.camera.refuses = SourceError("it is gone")
        bench.camera.source.does(None)
        bench.becomes("stalled")
        bench.clock.passes(200.0)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        assert bench.feed.take(0.0) is None
        wait_until(lambda: bool(new.sources), "it is open")
        new.source.does(50)
        bench.settles()
        assert int(bench.next_frame().image_bgr[0, 0, 0]) == 50


def test_a_stop_closes_what_is_tried_out() -> None:
    with Bench() as bench:
        bench.shows(100)
        new = FakeCamera(bench.clock)
        bench.cameras.append(new)
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: bool(new.sources), "it is open")
    assert new.source.closed.is_set()


def test_a_recording_of_one_picture_takes_over_and_ends() -> None:
    with Bench() as bench:
        bench.shows(100)
        new = FakeCamera(bench.clock, live=False)
        bench.feed.reopen(new.open, changed(source="http://other"))
        wait_until(lambda: bool(new.sources), "it is open")
        bench.clock.passes(1.0)
        new.source.does(50, None)
        assert new.source.closed.wait(5.0)
        bench.settles()
        assert int(bench.next_frame().image_bgr[0, 0, 0]) == 50
        assert bench.feed.over


def opens_only_once(bench: Bench) -> Callable[[], Any]:
    """A device: busy while somebody has it open."""

    def open_it() -> Any:
        if not all(source.closed.is_set() for source in bench.camera.sources):
            raise SourceError("device or resource busy")
        return bench.camera.open()

    return open_it


def test_other_settings_of_the_same_camera_close_it_first() -> None:
    with Bench() as bench:
        bench.shows(100)
        first = bench.camera.source
        bench.feed.reopen(opens_only_once(bench), changed(width_px=1280))
        assert not bench.feed.settled()
        assert bench.feed.take(0.0) is None  # and nothing waits for the one that still reads
        assert bench.state == "reopening"
        first.does(100)
        wait_until(lambda: len(bench.camera.sources) == 2, "it is opened with them")
        bench.camera.source.does(102)
        wait_until(bench.feed.settled, "it delivers")
        assert int(bench.next_frame().image_bgr[0, 0, 0]) == 102
        assert bench.state == "ok"


def test_other_settings_that_the_camera_refuses_leave_the_old_ones() -> None:
    with Bench() as bench:
        bench.shows(100)

        def refuses() -> Any:
            raise SourceError("no such size")

        bench.feed.reopen(refuses, changed(width_px=1280))
        bench.camera.source.does(100)
        with pytest.raises(SourceError, match="no such size"):
            bench.settles()
        assert bench.state == "reopening"
        assert bench.feed.status().reason == "no such size"
        bench.is_opened_anew(after_s=FIRST_DELAY_S)
        bench.shows(101)


def test_what_only_the_judge_needs_to_know_opens_nothing() -> None:
    with Bench() as bench:
        bench.shows(100)
        bench.feed.reopen(bench.camera.open, changed(frozen_after_s=3.0, name="back-door"))
        assert bench.camera.tries == 1
        bench.clock.passes(1.0)
        keeps_showing(bench, 101, 10)
        assert bench.state == "frozen"
        assert "same picture for 3 s" in bench.feed.status().reason


def test_a_recording_ends_and_is_not_opened_again() -> None:
    with Bench(live=False) as bench:
        source = bench.camera.source
        source.does(100)
        assert bench.next_frame().captured_at_s == pytest.approx(1000.01)
        assert not bench.feed.over
        source.does(100, None)
        bench.clock.passes(1.0)
        wait_for_threads(0)
        assert not bench.feed.over
        assert bench.feed.take(1.0) is not None
        assert bench.feed.over
        assert bench.feed.take(60.0) is None
        bench.clock.passes(1000.0)
        assert bench.feed.take(0.0) is None
        assert bench.camera.tries == 1


def test_what_a_recording_raises_comes_after_its_last_frame() -> None:
    with Bench(live=False) as bench:
        bench.camera.source.does(100, MemoryError("huge frame"))
        bench.feed.take(0.0)
        wait_for_threads(0)
        assert bench.feed.take(0.0) is not None
        with pytest.raises(MemoryError, match="huge frame"):
            bench.feed.take(0.0)
        assert not bench.feed.over


def test_a_broken_picture_in_a_folder_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 100)
    (tmp_path / "2.png").write_bytes(b"broken")
    feed = CameraFeed(lambda: PictureFolder(tmp_path, 50.0), SETTINGS, threading.Event())
    with feed:
        assert feed.take(5.0) is not None
        with pytest.raises(UserError, match=r"2\.png is not a picture"):
            feed.take(5.0)


def test_a_recording_is_played_at_its_own_speed_and_leaves_nothing_open(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [10, 20, 30, 40], fps=10.0)
    times_s = []
    with CameraFeed(lambda: VideoFile(clip), SETTINGS, threading.Event()) as feed:
        while not feed.over:
            frame = feed.take(5.0)
            if frame is not None:
                times_s.append(frame.captured_at_s)
        status = feed.status()
    assert (status.state, status.reopened) == ("ok", 0)
    assert len(times_s) + status.dropped == 4
    assert times_s[-1] - times_s[0] == pytest.approx((len(times_s) + status.dropped - 1) / 10, 0.4)
    links = [fd for fd in Path("/proc/self/fd").iterdir() if fd.resolve() == clip.resolve()]
    assert not links
