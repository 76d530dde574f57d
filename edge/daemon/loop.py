"""The main loop of the daemon: passes frames through the pipeline and acts on requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edge.camera.source import Feed, Frame
from edge.common.errors import UserError
from edge.common.stage_times import Progress, StageTimes
from edge.common.terminal import Terminal
from edge.daemon.controls import Controls
from edge.daemon.current_view import CurrentView, View
from edge.daemon.event_writer import EventWriter
from edge.daemon.snapshot_store import SnapshotStore
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline
from edge.health.reporters import StateReporter
from edge.health.systemd_notify import Notifier
from edge.health.thermal_throttle import ThermalThrottle
from edge.outputs.outputs import Outputs

log = logging.getLogger(__name__)

#: How long the loop waits for a frame at a time. It bounds the delay of a request, and the time
#: between two keep-alive messages to the watchdog while no frame comes.
TICK_S = 0.2
STATUS_INTERVAL_S = 0.5
#: A frame older than this does not count as the current view.
STALE_S = 2.0


@dataclass(frozen=True)
class FramePath:
    """The parts through which a frame and its events pass."""

    feed: Feed
    pipeline: Pipeline
    view: CurrentView
    writer: EventWriter
    snapshots: SnapshotStore
    outputs: Outputs


@dataclass(frozen=True)
class Reports:
    """Where the loop reports its progress; `terminal` shows a status line, if there is one."""

    state: StateReporter
    notifier: Notifier
    times: StageTimes
    progress: Progress
    terminal: Terminal | None = None


@dataclass(frozen=True)
class Requests:
    """The requests to the loop, on which it acts between two frames.

    `reload` reads the configuration again. It returns False if it must be called again to finish.
    If it raises UserError, it has changed nothing.
    """

    controls: Controls
    reload: Callable[[], bool]


@dataclass(frozen=True)
class Supervision:
    """What the loop checks in each turn.

    `delivery_alive` returns whether the delivery makes progress; while it does not, the loop
    sends no keep-alive message to the watchdog. `thermal` is updated, if there is one.
    """

    delivery_alive: Callable[[], bool] = lambda: True
    thermal: ThermalThrottle | None = None


class Loop:
    """Processes frames until they end or a stop is requested; always ends the running alerts.

    All methods are called by one thread, the main thread.
    """

    def __init__(
        self,
        path: FramePath,
        reports: Reports,
        requests: Requests,
        supervision: Supervision,
        clock: Callable[[], float] = time.monotonic,
        starts_at_s: float = 0.0,
    ) -> None:
        """`clock` is the clock that live frames are timed with; `starts_at_s` is the present
        time on the clock of the frames."""
        self._path = path
        self._reports = reports
        self._requests = requests
        self._supervision = supervision
        self._clock = clock
        self._now_s = starts_at_s
        self._status_due_s = 0.0
        self._was_paused = False
        self._reloading = False

    def run(self) -> None:
        """Run until the source has ended, has failed (SourceError), or a stop is requested."""
        feed, stopped = self._path.feed, self._requests.controls.stop_requested
        try:
            self._report_state()  # replaces the retained state of the previous run
            while not stopped.is_set() and not feed.over:
                self._supervise()
                self._reload_if_requested()
                self._pause_if_requested()
                frame = feed.take(TICK_S)
                if frame is not None:
                    self._process(frame)
                elif not feed.over and not stopped.is_set():
                    self._advance_time()
        finally:
            self._reports.notifier.stopping()
            if self._reports.terminal:
                self._reports.terminal.status("")
            self._end_running_alerts()

    def _supervise(self) -> None:
        self._reports.progress.mark_iteration()
        if self._supervision.delivery_alive():
            self._reports.notifier.keep_alive()
        if self._supervision.thermal is not None:
            self._supervision.thermal.update(self._clock())

    def _process(self, frame: Frame) -> None:
        if frame.captured_at_s < self._now_s:
            # The tracks have already been advanced beyond this frame's capture time, because no
            # frame came for a while. The time of the tracks must not go backwards.
            frame = replace(frame, captured_at_s=self._now_s)
        self._now_s = frame.captured_at_s
        path = self._path
        with self._reports.times.measure("frame"):
            if not self._was_paused:
                events = path.pipeline.process(frame)
                if path.pipeline.has_searched:
                    path.view.show(View(frame, path.pipeline.alert_boxes(self._now_s)))
                self._pass_on(events, frame.captured_at_s)
                for event in events:
                    path.snapshots.save_alert(event, frame)
        self._reports.progress.frame_done()
        self._report_state()
        self._show_status()

    def _advance_time(self) -> None:
        """Advance the time without a frame: alerts must end while the camera delivers none."""
        path = self._path
        view = path.view.get()
        if view is not None and self._clock() - view.frame.captured_at_s > STALE_S:
            path.view.clear()
        if self._was_paused or not path.pipeline.tracks:
            return
        self._now_s = max(self._now_s, self._clock())
        self._pass_on(path.pipeline.advance_time(self._now_s))
        self._report_state()

    def _pass_on(self, events: Sequence[Event], captured_at_s: float | None = None) -> None:
        """Switch the pins, which must not wait for the disk, then commit, and run the programs."""
        outputs = self._path.outputs
        for event in events:
            outputs.switch(event)
        for event in events:
            outputs.run(event, self._path.writer.write(event, captured_at_s))

    def _report_state(self) -> None:
        pipeline = self._path.pipeline
        people = len(pipeline.tracks)
        self._reports.state.update(
            pipeline.alert_count, people, self._now_s, pipeline.people_counts, self._was_paused
        )

    def _show_status(self) -> None:
        terminal, progress = self._reports.terminal, self._reports.progress
        elapsed_s = progress.elapsed_s()
        if terminal and elapsed_s >= self._status_due_s:
            self._status_due_s = elapsed_s + STATUS_INTERVAL_S
            pipeline = self._path.pipeline
            terminal.status(
                f"{elapsed_s:6.1f} s   {progress.frames / elapsed_s:4.1f} frames/s   "
                f"in view: {len(pipeline.tracks)}   without a mask: {pipeline.alert_count}"
            )

    def _reload_if_requested(self) -> None:
        controls, notifier = self._requests.controls, self._reports.notifier
        if not self._reloading:
            if not controls.reload_requested.is_set():
                return
            controls.begin_reload()
            notifier.reloading()
        self._reloading, refused = False, ""
        try:
            self._reloading = not self._requests.reload()
        except UserError as error:
            log.error("the configuration is not reloaded, the old one stays in force: %s", error)
            refused = str(error)
        except Exception as error:  # a faulty file must not end a running daemon
            log.exception("the configuration is not reloaded, the old one stays in force")
            refused = (
                f"the reload failed unexpectedly ({type(error).__name__}); see the daemon's log"
            )
        finally:
            if not self._reloading:
                controls.end_reload(refused)
                notifier.ready()

    def _pause_if_requested(self) -> None:
        paused = self._requests.controls.paused
        if paused == self._was_paused:
            return
        self._was_paused = paused
        if paused:
            self._path.view.clear()
            self._end_running_alerts()
        log.warning("paused: no frame is processed until `resume`" if paused else "resumed")
        self._report_state()

    def _end_running_alerts(self) -> None:
        self._pass_on(self._path.pipeline.finish(self._now_s))
        self._report_state()
