from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from edge.camera.feed_state import Ended, Failed, Opening, Reading, State, Waiting
from edge.camera.feed_status import StatusKeeper
from edge.camera.reader import GRACE_S, MAX_HANGING
from edge.camera.reopen_backoff import FIRST_DELAY_S
from edge.camera.source import AbsentError, CameraStatus, Frame, SourceError
from edge.camera.source_supervisor import MAX_BLACK_AFTER_S, SourceSupervisor
from edge.config.settings import CameraSettings
from tests.support.camera.fake_camera import FEED_SETTINGS, changed
from tests.support.clock import Clock
from tests.support.footage.pictures import flat


@dataclass
class Supervised:
    """A supervisor with a clock that the test advances, and without jitter."""

    settings: CameraSettings = FEED_SETTINGS
    clock: Clock = field(default_factory=Clock)
    status_keeper: StatusKeeper = field(default_factory=StatusKeeper)
    hanging: int = 0

    def __post_init__(self) -> None:
        self.supervisor = SourceSupervisor(
            self.settings, self.status_keeper, self.clock, random=lambda: 0.0
        )

    @property
    def state(self) -> State:
        return self.supervisor.state

    @property
    def status(self) -> CameraStatus:
        return self.status_keeper.snapshot(self.clock.now_s)

    def show(self, level: int) -> bool:
        """Let a picture arrive; return whether the consumer may have it."""
        return self.supervisor.picture_arrived(Frame(flat(level), self.clock.now_s, 0))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.supervisor.check_silence()
        self.supervisor.check_retry(lambda: self.hanging)


def opened(live: bool = True, settings: CameraSettings = FEED_SETTINGS) -> Supervised:
    source = Supervised(settings)
    source.supervisor.opened(live)
    return source


@pytest.mark.parametrize(
    ("error", "reopen_for_s"),
    [(SourceError("no such file"), 100.0), (AbsentError("no such camera"), 0.0)],
)
def test_permanent_error_of_the_first_attempt_is_final(
    error: SourceError, reopen_for_s: float
) -> None:
    source = Supervised(changed(reopen_for_s=reopen_for_s))
    source.supervisor.ended(error)
    assert source.state == Failed(error)
    assert source.supervisor.error is error


def test_absent_camera_is_opened_again_after_the_delay() -> None:
    source = Supervised()
    source.supervisor.ended(AbsentError("no such camera"))
    assert isinstance(source.state, Waiting)
    source.advance(FIRST_DELAY_S - 0.01)
    assert isinstance(source.state, Waiting)
    source.advance(0.01)
    assert isinstance(source.state, Opening)
    assert (source.status.state, source.status.reason) == ("reopening", "no such camera")


def test_error_of_a_later_attempt_is_temporary() -> None:
    source = opened()
    source.show(100)
    source.supervisor.ended(None)
    source.advance(FIRST_DELAY_S)
    source.supervisor.ended(SourceError("no permission"))
    assert isinstance(source.state, Waiting)
    assert (source.status.state, source.status.reason) == ("reopening", "no permission")


def test_recording_ends_with_its_error() -> None:
    source = opened(live=False)
    assert source.show(100)
    error = MemoryError("huge frame")
    source.supervisor.ended(error)
    assert source.state == Ended(error)
    source.advance(1000.0)
    assert source.state == Ended(error)


def test_silence_is_reported_before_the_source_is_lost() -> None:
    source = opened()
    source.show(100)
    source.advance(5.1)
    assert isinstance(source.state, Reading)
    assert source.status.state == "stalled"
    source.advance(GRACE_S)
    assert isinstance(source.state, Waiting)
    assert source.status.reason == "rtsp://cam/1 has delivered nothing for 5 s"


@pytest.mark.parametrize("reopen_for_s", [100.0, 0.0])
def test_retries_of_a_failing_source_are_announced_once(
    caplog: pytest.LogCaptureFixture, reopen_for_s: float
) -> None:
    source = opened(settings=changed(reopen_for_s=reopen_for_s))
    source.show(100)
    source.clock.advance(5.1)
    source.supervisor.check_silence()
    source.clock.advance(GRACE_S)
    source.supervisor.check_silence()
    source.supervisor.ended(SourceError("no permission"))
    announced = [text for text in caplog.messages if "tried again" in text]
    expected = "opening it is tried again for up to 100 s (camera.reopen_for_s)"
    assert announced == ([expected] if reopen_for_s else [])


def test_recording_may_be_silent() -> None:
    source = opened(live=False)
    source.advance(1000.0)
    assert isinstance(source.state, Reading)


def test_timeout_of_held_reader_begins_with_reading() -> None:
    source = opened()
    source.clock.advance(1000.0)
    source.supervisor.reading_began()
    source.advance(5.0)
    assert source.status.state == "starting"


def test_garbage_is_mentioned_in_the_reason() -> None:
    source = opened()
    source.supervisor.garbage_arrived()
    source.advance(5.1)
    assert source.status.reason == "rtsp://cam/1 has delivered nothing but garbage for 5 s"


def test_source_is_given_up_after_reopen_for_s() -> None:
    source = opened()
    source.show(100)
    source.supervisor.ended(None)
    source.advance(99.9)
    assert isinstance(source.state, Opening)
    source.advance(0.1)
    assert isinstance(source.state, Failed)
    assert str(source.state.error) == (
        "rtsp://cam/1 has ended; it could not be brought back for 100 s"
    )


def test_source_with_too_many_hanging_readers_is_given_up() -> None:
    source = opened()
    source.hanging = MAX_HANGING
    source.supervisor.ended(None)
    source.advance(FIRST_DELAY_S)
    assert isinstance(source.state, Failed)
    assert (
        str(source.state.error)
        == "rtsp://cam/1 has ended; 3 attempts to read it hang in its driver"
    )


def test_reopened_source_is_counted_and_its_frames_are_good() -> None:
    source = opened()
    source.show(100)
    source.supervisor.ended(None)
    source.advance(FIRST_DELAY_S)
    source.supervisor.opened(live=True)
    assert source.show(101)
    assert (source.status.state, source.status.reopened) == ("ok", 1)


def test_frozen_frames_are_withheld() -> None:
    source = opened()
    assert source.show(100)
    source.clock.advance(30.0)
    assert not source.show(100)
    assert isinstance(source.state, Waiting)
    assert source.status.state == "frozen"
    source.advance(FIRST_DELAY_S)
    source.supervisor.opened(live=True)
    assert not source.show(100)
    assert source.show(101)


def test_black_frames_are_handed_over() -> None:
    source = opened()
    assert source.show(3)
    source.clock.advance(20.0)
    assert source.show(3)
    assert isinstance(source.state, Waiting)
    assert source.status.state == "black"
    source.advance(10_000.0)
    assert isinstance(source.state, Opening)


def test_suspended_source_waits_and_may_be_lost() -> None:
    source = opened()
    source.show(100)
    source.supervisor.suspend("the settings of the camera are being changed")
    assert isinstance(source.state, Waiting)
    assert (source.status.state, source.status.reason) == (
        "reopening",
        "the settings of the camera are being changed",
    )
    source.supervisor.change_failed("no such size")
    assert source.status.reason == "no such size"
    source.advance(FIRST_DELAY_S)
    assert isinstance(source.state, Opening)


def test_new_settings_of_the_frame_check_apply_at_once() -> None:
    source = opened()
    source.show(100)
    source.supervisor.change_settings(changed(frozen_after_s=3.0))
    source.show(101)
    source.clock.advance(3.0)
    assert not source.show(101)
    assert source.status.state == "frozen"


def test_candidate_takes_over_without_a_reopening() -> None:
    source = Supervised()
    assert source.supervisor.take_over(True, Frame(flat(50), source.clock.now_s, 0))
    assert isinstance(source.state, Reading)
    assert (source.status.state, source.status.reopened) == ("ok", 0)


def test_time_until_black_doubles_with_each_black_opening() -> None:
    source = opened()
    spans_s = []
    for _ in range(4):
        source.show(3)
        black_since_s = source.clock.now_s
        while isinstance(source.state, Reading):
            source.clock.advance(1.0)
            source.show(3)
        spans_s.append(source.clock.now_s - black_since_s)
        source.advance(60.0)
        source.supervisor.opened(live=True)
    assert spans_s == [20.0, 40.0, 80.0, 160.0]


def test_long_time_until_black_is_not_shortened() -> None:
    settings = changed(black_after_s=2 * MAX_BLACK_AFTER_S)
    source = opened(settings=settings)
    source.show(3)
    source.clock.advance(2 * MAX_BLACK_AFTER_S - 1.0)
    source.show(3)
    assert isinstance(source.state, Reading)


def test_source_that_freezes_again_is_reported_as_frozen() -> None:
    source = opened()
    for level in (99, 100):
        source.show(level)
    source.clock.advance(30.0)
    source.show(100)
    source.advance(FIRST_DELAY_S)
    source.supervisor.opened(live=True)
    source.show(100)
    assert source.status.state == "reopening"
    source.clock.advance(30.0)
    source.show(100)
    assert source.status.state == "frozen"


def test_silence_while_reopening_is_not_reported_as_stalled() -> None:
    source = opened()
    source.show(100)
    source.supervisor.ended(None)
    source.advance(FIRST_DELAY_S)
    source.supervisor.opened(live=True)
    source.advance(5.1)
    assert (source.status.state, source.status.reason) == ("reopening", "rtsp://cam/1 has ended")


def test_recovered_source_has_the_full_time_again() -> None:
    source = opened()
    for _ in range(3):
        source.show(100)
        source.supervisor.ended(None)
        source.advance(60.0)
        assert isinstance(source.state, Opening)
        source.supervisor.opened(live=True)


def test_delays_start_over_after_an_opening_that_worked() -> None:
    source = opened()
    for delay_s in (FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S):
        source.supervisor.ended(None)
        source.advance(delay_s)
        source.supervisor.opened(live=True)
    source.show(100)
    source.clock.advance(4 * FIRST_DELAY_S + 0.1)
    source.show(101)
    source.supervisor.ended(None)
    source.advance(FIRST_DELAY_S)
    assert isinstance(source.state, Opening)


def test_new_reopen_for_s_applies_at_once() -> None:
    source = opened()
    source.show(100)
    source.supervisor.ended(None)
    source.supervisor.change_settings(changed(reopen_for_s=10.0))
    source.advance(10.0)
    assert isinstance(source.state, Failed)
