from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge.camera.source import CameraStatus, Frame, SourceError
from edge.common.clock import UtcClock
from edge.common.errors import UserError
from edge.common.stage_times import Progress, StageTimes
from edge.config.settings import SnapshotSettings
from edge.daemon.controls import Controls
from edge.daemon.current_view import CurrentView
from edge.daemon.event_writer import EventWriter
from edge.daemon.loop import FramePath, Loop, Reports, Requests, Supervision
from edge.daemon.snapshot_store import SnapshotStore
from edge.health.reporters import StateReporter
from edge.health.systemd_notify import Notifier
from edge.mqtt.delivery import NullSink
from edge.mqtt.payloads import Origin
from edge.outputs.outputs import Outputs

PICTURE = np.zeros((4, 4, 3), np.uint8)
#: The constant time of the loop's clock, in seconds; frame number n was captured at n seconds.
NOW_S = 77.0
NO_OUTPUTS = Outputs((), lambda: 0.0)


class CountedFeed:
    """A feed of `count` frames; calls `end` at each request for a frame after the last frame."""

    def __init__(self, count: int, end: Callable[[], None] = lambda: None) -> None:
        self._left = count
        self._end = end
        self.over = count == 0
        self.takes = 0

    def take(self, timeout_s: float) -> Frame | None:
        self.takes += 1
        if self._left == 0:
            self._end()
            return None
        self._left -= 1
        return Frame(PICTURE, float(self.takes), self.takes)

    def status(self) -> CameraStatus:
        return CameraStatus("ok", "", 0.0, 0, 0)


class RecordingPipeline:
    """A pipeline without events that records its calls and calls `work` for each frame."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self.frames = 0
        self.finished = 0
        self.passed_s: list[float] = []
        self.frame_times_s: list[float] = []
        self.tracks: Sequence[object] = ()
        self.alert_count = 0
        self.has_searched = True
        self.people_counts: dict[str, object] = {}

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        return ()

    def process(self, frame: Frame) -> list[object]:
        self.frames += 1
        self.frame_times_s.append(frame.captured_at_s)
        self._work()
        return []

    def advance_time(self, now_s: float) -> list[object]:
        self.passed_s.append(now_s)
        self.tracks = ()
        return []

    def finish(self, now_s: float) -> list[object]:
        self.finished += 1
        return []


class RecordingNotifier(Notifier):
    """A notifier that records its messages instead of sending them."""

    def __init__(self) -> None:
        super().__init__({})
        self.messages: list[str] = []

    def keep_alive(self) -> None:
        self.messages.append("alive")

    def _send(self, message: str) -> None:
        self.messages.append(message.splitlines()[0])


class Bench:
    """A loop with a counted feed, a recording pipeline, and a recording notifier."""

    def __init__(
        self,
        feed: CountedFeed,
        pipeline: RecordingPipeline | None = None,
        controls: Controls | None = None,
        reload: Callable[[], bool] = lambda: True,
        delivery_alive: bool = True,
    ) -> None:
        times, utc = StageTimes(), UtcClock(lambda: 0.0)
        self.pipeline = pipeline or RecordingPipeline()
        self.view = CurrentView()
        self.notifier = RecordingNotifier()
        writer = EventWriter(Origin("d", "c", "m"), utc, NullSink(), None, times)
        snapshots = SnapshotStore(SnapshotSettings())
        self.loop = Loop(
            FramePath(feed, self.pipeline, self.view, writer, snapshots, NO_OUTPUTS),
            Reports(StateReporter(NullSink(), utc), self.notifier, times, Progress()),
            Requests(controls or Controls(), reload),
            Supervision(lambda: delivery_alive),
            clock=lambda: NOW_S,
        )


def test_frames_and_waits_both_feed_the_watchdog() -> None:
    controls = Controls()
    feed = CountedFeed(3, end=lambda: controls.stop_requested.set() if feed.takes > 9 else None)
    bench = Bench(feed, controls=controls)
    bench.loop.run()
    assert (bench.pipeline.frames, bench.pipeline.finished) == (3, 1)
    assert bench.notifier.messages == ["alive"] * 10 + ["STOPPING=1"]


def test_hanging_stage_starves_the_watchdog() -> None:
    controls = Controls()
    hanging, released = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        released.wait()

    bench = Bench(CountedFeed(9), RecordingPipeline(hang), controls)
    thread = threading.Thread(target=bench.loop.run)
    thread.start()
    assert hanging.wait(20.0)
    # The loop's thread is inside the stage, and no other thread feeds the watchdog.
    assert bench.notifier.messages == ["alive"]
    controls.stop_requested.set()
    released.set()
    thread.join(20.0)
    assert not thread.is_alive()
    assert bench.notifier.messages == ["alive", "STOPPING=1"]


def test_hanging_delivery_starves_the_watchdog() -> None:
    controls = Controls()
    feed = CountedFeed(3, end=controls.stop_requested.set)
    bench = Bench(feed, controls=controls, delivery_alive=False)
    bench.loop.run()
    assert bench.pipeline.frames == 3
    assert bench.notifier.messages == ["STOPPING=1"]


def test_failing_source_ends_running_alerts() -> None:
    def fail() -> None:
        raise SourceError("gone")

    bench = Bench(CountedFeed(2, end=fail))
    with pytest.raises(SourceError, match="gone"):
        bench.loop.run()
    assert bench.pipeline.finished == 1


def test_time_passes_for_tracks_while_no_frame_comes() -> None:
    controls = Controls()
    feed = CountedFeed(2, end=lambda: controls.stop_requested.set() if feed.takes > 5 else None)
    bench = Bench(feed, controls=controls)
    bench.pipeline.tracks = ("somebody",)
    bench.loop.run()
    assert bench.pipeline.passed_s == [NOW_S]  # called only once, as no track is left after that


def test_time_never_runs_backwards_for_tracks() -> None:
    """Time passed without a frame; the next frame was captured before that."""
    controls = Controls()
    waits = iter([True])

    class LateFeed(CountedFeed):
        def take(self, timeout_s: float) -> Frame | None:
            if self.takes == 1 and next(waits, False):
                return None
            return super().take(timeout_s)

    bench = Bench(LateFeed(2, end=controls.stop_requested.set), controls=controls)
    bench.pipeline.tracks = ("somebody",)
    bench.loop.run()
    assert bench.pipeline.passed_s == [NOW_S]
    assert bench.pipeline.frame_times_s == [1.0, NOW_S]


def test_old_frame_is_not_the_current_view() -> None:
    controls = Controls()
    feed = CountedFeed(1, end=lambda: controls.stop_requested.set() if feed.takes > 2 else None)
    bench = Bench(feed, controls=controls)
    bench.loop.run()
    assert bench.view.get() is None  # the frame was captured 76 s before


def test_unexpected_reload_failure_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    controls = Controls()

    def reload() -> bool:
        raise ZeroDivisionError

    bench = Bench(CountedFeed(2, end=controls.stop_requested.set), controls=controls, reload=reload)
    controls.reload_requested.set()
    bench.loop.run()
    assert "the old one stays in force" in caplog.text
    assert "ZeroDivisionError" in controls.refusal
    assert "READY=1" in bench.notifier.messages


def test_pause_skips_frames_and_feeds_the_watchdog() -> None:
    controls = Controls()
    feed = CountedFeed(6, end=controls.stop_requested.set)
    bench = Bench(feed, RecordingPipeline(lambda: controls.pause() and None), controls)
    bench.loop.run()
    assert bench.pipeline.frames == 1
    assert bench.pipeline.finished == 2  # tracks are ended at the pause and at the end
    assert bench.view.get() is None
    assert bench.notifier.messages.count("alive") == 7


def test_reload_happens_between_frames_and_is_reported() -> None:
    controls = Controls()
    calls: list[bool] = []

    def reload() -> bool:
        calls.append(True)
        return True

    bench = Bench(CountedFeed(2, end=controls.stop_requested.set), controls=controls, reload=reload)
    controls.reload_requested.set()
    bench.loop.run()
    assert calls == [True]
    assert bench.notifier.messages[:3] == ["alive", "RELOADING=1", "READY=1"]
    assert not controls.reload_requested.is_set()


@pytest.mark.parametrize("fails", [False, True])
def test_slow_reload_does_not_block_the_loop(fails: bool) -> None:
    controls = Controls()
    turns: list[int] = []

    def reload() -> bool:
        turns.append(len(turns))
        if len(turns) == 1:
            controls.reload_requested.set()  # a second request, which is served after the first
        if fails and len(turns) == 3:
            raise UserError("no such camera")
        return len(turns) >= 3

    bench = Bench(CountedFeed(5, end=controls.stop_requested.set), controls=controls, reload=reload)
    controls.reload_requested.set()
    bench.loop.run()
    assert len(turns) == 4
    first = ["RELOADING=1", *["alive"] * 2, "READY=1"]
    expected = ["alive", *first, "alive", "RELOADING=1", "READY=1", "alive"]
    assert bench.notifier.messages[:9] == expected


def test_stop_does_not_wait_for_a_reload() -> None:
    controls = Controls()
    feed = CountedFeed(3, end=controls.stop_requested.set)
    bench = Bench(feed, controls=controls, reload=lambda: False)
    controls.reload_requested.set()
    bench.loop.run()
    assert "READY=1" not in bench.notifier.messages
    assert bench.notifier.messages[-1] == "STOPPING=1"
