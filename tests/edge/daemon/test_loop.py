from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge.camera.source import CameraStatus, Frame, SourceError
from edge.common.clock import UtcClock
from edge.common.errors import UserError
from edge.common.stage_times import Progress, StageTimes
from edge.daemon.controls import Controls
from edge.daemon.event_writer import EventWriter
from edge.daemon.loop import Loop
from edge.health.reporters import StateReporter
from edge.health.systemd_notify import Notifier
from edge.mqtt.delivery import NullSink
from edge.mqtt.payloads import Origin
from tests.support.brokers import wait_until

PICTURE = np.zeros((4, 4, 3), np.uint8)


class Frames:
    """A feed of so many frames; `end` says what comes after them."""

    def __init__(self, count: int, end: Callable[[], None] = lambda: None) -> None:
        self._left = count
        self._end = end
        self.over = count == 0
        self.asked = 0

    def take(self, timeout_s: float) -> Frame | None:
        self.asked += 1
        if self._left == 0:
            self._end()
            return None
        self._left -= 1
        return Frame(PICTURE, float(self.asked), self.asked)

    def status(self) -> CameraStatus:
        return CameraStatus("ok", "", 0.0, 0, 0)


class Watched:
    """A pipeline that does what a test wants with each frame."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self.frames = 0
        self.finished = 0
        self.passed_s: list[float] = []
        self.seen_s: list[float] = []
        self.tracks: Sequence[object] = ()
        self.alert_count = 0
        self.people_counts: dict[str, object] = {}

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        return ()

    def process(self, frame: Frame) -> list[object]:
        self.frames += 1
        self.seen_s.append(frame.captured_at_s)
        self._work()
        return []

    def advance_time(self, now_s: float) -> list[object]:
        self.passed_s.append(now_s)
        self.tracks = ()
        return []

    def finish(self, now_s: float) -> list[object]:
        self.finished += 1
        return []


class Systemd(Notifier):
    def __init__(self) -> None:
        super().__init__({})
        self.heard: list[str] = []

    def alive(self) -> None:
        self.heard.append("alive")

    def _send(self, message: str) -> None:
        self.heard.append(message.splitlines()[0])


def loop_of(
    feed: Frames, pipeline: Watched, controls: Controls, systemd: Systemd, delivers: bool = True
) -> Loop:
    times, utc = StageTimes(), UtcClock(lambda: 0.0)
    writer = EventWriter(Origin("d", "c", "m"), utc, NullSink(), None, times)
    state = StateReporter(NullSink(), utc)
    return Loop(
        feed,
        pipeline,
        writer,
        state,
        controls,
        systemd,
        times,
        Progress(),
        clock=lambda: 77.0,
        delivers=lambda: delivers,
    )


def test_each_frame_feeds_the_watchdog_and_so_does_waiting_for_one() -> None:
    controls, systemd = Controls(), Systemd()
    feed = Frames(3, end=lambda: controls.stopped.set() if feed.asked > 9 else None)
    pipeline = Watched()
    loop_of(feed, pipeline, controls, systemd).run()
    assert (pipeline.frames, pipeline.finished) == (3, 1)
    assert systemd.heard == ["alive"] * 10 + ["STOPPING=1"]


def test_a_stage_that_hangs_starves_the_watchdog() -> None:
    controls, systemd = Controls(), Systemd()
    hanging, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        let_go.wait()

    loop = loop_of(Frames(9), Watched(hang), controls, systemd)
    thread = threading.Thread(target=loop.run)
    thread.start()
    assert hanging.wait(20.0)
    heard = len(systemd.heard)
    # Whatever else runs in the process: nothing more is said while the stage hangs.
    threading.Event().wait(0.5)
    assert systemd.heard == ["alive"] * heard
    assert heard == 1
    controls.stopped.set()
    let_go.set()
    thread.join(20.0)
    assert not thread.is_alive()


def test_a_delivery_that_hangs_starves_the_watchdog_too() -> None:
    controls, systemd = Controls(), Systemd()
    feed = Frames(3, end=controls.stopped.set)
    pipeline = Watched()
    loop_of(feed, pipeline, controls, systemd, delivers=False).run()
    assert pipeline.frames == 3
    assert systemd.heard == ["STOPPING=1"]


def test_what_runs_ends_also_when_the_source_fails() -> None:
    def fail() -> None:
        raise SourceError("gone")

    pipeline = Watched()
    loop = loop_of(Frames(2, end=fail), pipeline, Controls(), Systemd())
    with pytest.raises(SourceError, match="gone"):
        loop.run()
    assert pipeline.finished == 1


def test_time_passes_for_who_is_in_view_when_no_frame_comes() -> None:
    controls = Controls()
    feed = Frames(2, end=lambda: controls.stopped.set() if feed.asked > 5 else None)
    pipeline = Watched()
    loop = loop_of(feed, pipeline, controls, Systemd())
    pipeline.tracks = ("somebody",)
    loop.run()
    assert pipeline.passed_s == [77.0]  # and not again for nobody


def test_time_never_runs_backwards_for_who_is_in_view() -> None:
    """Time went on without a frame; the next one was captured a moment before that."""
    controls = Controls()
    waits = iter([True])

    class Late(Frames):
        def take(self, timeout_s: float) -> Frame | None:
            if self.asked == 1 and next(waits, False):
                return None
            return super().take(timeout_s)

    feed = Late(2, end=controls.stopped.set)
    pipeline = Watched()
    pipeline.tracks = ("somebody",)
    loop_of(feed, pipeline, controls, Systemd()).run()
    assert pipeline.passed_s == [77.0]
    assert pipeline.seen_s == [1.0, 77.0]


def test_a_picture_of_now_is_not_an_old_one() -> None:
    controls = Controls()
    feed = Frames(1, end=lambda: controls.stopped.set() if feed.asked > 2 else None)
    loop = loop_of(feed, Watched(), controls, Systemd())
    loop.run()
    assert loop.view is None  # it was captured 76 s before


def test_a_reload_that_fails_in_a_new_way_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    controls, systemd = Controls(), Systemd()
    loop = loop_of(Frames(2, end=controls.stopped.set), Watched(), controls, systemd)

    def reload() -> None:
        raise ZeroDivisionError

    loop.reload = reload
    controls.reload.set()
    loop.run()
    assert "the old one goes on" in caplog.text
    assert "READY=1" in systemd.heard


def test_while_paused_nobody_is_looked_at_and_the_watchdog_is_fed() -> None:
    controls, systemd = Controls(), Systemd()
    feed = Frames(6, end=controls.stopped.set)
    pipeline = Watched(lambda: controls.pause() and None)
    loop = loop_of(feed, pipeline, controls, systemd)
    loop.run()
    assert pipeline.frames == 1
    assert pipeline.finished == 2  # when it was paused, and at the end
    assert loop.view is None
    assert systemd.heard.count("alive") == 7


def test_a_reload_is_done_between_frames_and_told() -> None:
    controls, systemd = Controls(), Systemd()
    loop = loop_of(Frames(2, end=controls.stopped.set), Watched(), controls, systemd)
    done: list[bool] = []

    def reload() -> bool:
        done.append(True)
        return True

    loop.reload = reload
    controls.reload.set()
    loop.run()
    assert done == [True]
    assert systemd.heard[:3] == ["alive", "RELOADING=1", "READY=1"]
    wait_until(lambda: not controls.reload.is_set(), "the wish is fulfilled")


@pytest.mark.parametrize("fails", [False, True])
def test_a_reload_that_takes_its_time_hinders_nothing(fails: bool) -> None:
    controls, systemd = Controls(), Systemd()
    loop = loop_of(Frames(5, end=controls.stopped.set), Watched(), controls, systemd)
    turns: list[int] = []

    def reload() -> bool:
        turns.append(len(turns))
        if len(turns) == 1:
            controls.reload.set()  # asked for again meanwhile: it comes after this one
        if fails and len(turns) == 3:
            raise UserError("no such camera")
        return len(turns) >= 3

    loop.reload = reload
    controls.reload.set()
    loop.run()
    assert len(turns) == 4
    once = ["RELOADING=1", *["alive"] * 2, "READY=1"]
    assert systemd.heard[:9] == ["alive", *once, "alive", "RELOADING=1", "READY=1", "alive"]


def test_a_stop_does_not_wait_for_a_reload() -> None:
    controls, systemd = Controls(), Systemd()
    loop = loop_of(Frames(3, end=controls.stopped.set), Watched(), controls, systemd)
    loop.reload = lambda: False
    controls.reload.set()
    loop.run()
    assert "READY=1" not in systemd.heard
    assert systemd.heard[-1] == "STOPPING=1"
