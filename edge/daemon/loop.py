"""The loop of the daemon: each frame through the pipeline, and what is asked in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.camera.source import Feed, Frame
from edge.common.errors import UserError
from edge.common.stage_times import Progress, StageTimes
from edge.common.terminal import Terminal
from edge.daemon.controls import Controls
from edge.daemon.event_writer import EventWriter
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline
from edge.events.snapshot import FractionBox, Snapshots
from edge.health.reporters import StateReporter
from edge.health.systemd_notify import Notifier
from edge.health.thermal_throttle import ThermalThrottle

log = logging.getLogger(__name__)

#: How long one look for a new frame may take: so soon a wish is noticed, and so often the
#: watchdog hears of a loop that has nothing to do.
TICK_S = 0.2
STATUS_INTERVAL_S = 0.5
#: A frame older than this is no picture of now.
STALE_S = 2.0


@dataclass(frozen=True)
class View:
    """The newest frame, and where in it bare faces are seen, as fractions of it."""

    frame: Frame
    alerts: tuple[FractionBox, ...]


class Loop:
    """Takes frames until they end or we are told to stop; always ends what is running."""

    def __init__(
        self,
        feed: Feed,
        pipeline: Pipeline,
        writer: EventWriter,
        state: StateReporter,
        controls: Controls,
        notifier: Notifier,
        times: StageTimes,
        progress: Progress,
        screen: Terminal | None = None,
        clock: Callable[[], float] = time.monotonic,
        starts_at_s: float = 0.0,
        delivers: Callable[[], bool] = lambda: True,
        thermal: ThermalThrottle | None = None,
    ) -> None:
        """`screen` shows a line on how it goes, if there is one; `clock` is that of frames
        that must be waited for; `starts_at_s` is now, on the clock of the frames.
        `delivers`: whether events get on their way; if not, the watchdog is not fed.
        `thermal` is tended, if there is one."""
        self._feed = feed
        self._pipeline = pipeline
        self._writer = writer
        self._state = state
        self._controls = controls
        self._notifier = notifier
        self._times = times
        self._progress = progress
        self._screen = screen
        self._clock = clock
        self._delivers = delivers
        self._thermal = thermal
        self._now_s = starts_at_s
        self._status_due_s = 0.0
        self._was_paused = False
        #: What is seen now, for whoever asks from another thread; None before the first frame.
        self.view: View | None = None
        #: Where pictures of alerts go, if anywhere.
        self.snapshots: Snapshots | None = None
        #: What reads the configuration anew; False while it must be called again to go on.
        #: Raises UserError and has then changed nothing.
        self.reload: Callable[[], bool] = lambda: True
        self._reloading = False

    def run(self) -> None:
        """Until the source is over, fails (SourceError) or we are stopped."""
        try:
            self._say_state()  # what the last run said may no longer be so
            while not self._controls.stopped.is_set() and not self._feed.over:
                self._progress.turn()
                if self._delivers():
                    self._notifier.alive()
                if self._thermal is not None:
                    self._thermal.tend(self._clock())
                self._reload_if_asked()
                self._pause_if_asked()
                frame = self._feed.take(TICK_S)
                if frame is not None:
                    self._take(frame)
                elif not self._feed.over and not self._controls.stopped.is_set():
                    self._do_without()
        finally:
            self._notifier.stopping()
            if self._screen:
                self._screen.status("")
            self._end_what_runs()

    def _take(self, frame: Frame) -> None:
        if frame.captured_at_s < self._now_s:
            # Time went on while none came: for who is in view it must not run backwards.
            frame = replace(frame, captured_at_s=self._now_s)
        self._now_s = frame.captured_at_s
        with self._times.measure("frame"):
            if not self._was_paused:
                events = self._pipeline.process(frame)
                self.view = View(frame, self._pipeline.alert_boxes(self._now_s))
                for event in events:
                    self._writer.write(event, frame.captured_at_s)
                    self._keep_picture(event, frame)
        self._progress.frame_done()
        self._say_state()
        self._show()

    def _do_without(self) -> None:
        """No frame came: a camera that is away must not keep an alert alive."""
        if self.view is not None and self._clock() - self.view.frame.captured_at_s > STALE_S:
            self.view = None
        if self._was_paused or not self._pipeline.tracks:
            return
        self._now_s = max(self._now_s, self._clock())
        for event in self._pipeline.advance_time(self._now_s):
            self._writer.write(event)
        self._say_state()

    def _say_state(self) -> None:
        pipeline = self._pipeline
        people = len(pipeline.tracks)
        self._state.update(
            pipeline.alert_count, people, self._now_s, pipeline.people_counts, self._was_paused
        )

    def _show(self) -> None:
        elapsed_s = self._progress.elapsed_s()
        if self._screen and elapsed_s >= self._status_due_s:
            self._status_due_s = elapsed_s + STATUS_INTERVAL_S
            self._screen.status(
                f"{elapsed_s:6.1f} s   {self._progress.frames / elapsed_s:4.1f} frames/s   "
                f"in view: {len(self._pipeline.tracks)}   bare-faced: {self._pipeline.alert_count}"
            )

    def _keep_picture(self, event: Event, frame: Frame) -> None:
        if self.snapshots is None or event.event_type != "no_mask_start":
            return
        try:
            self.snapshots.save(event.episode, frame, [event.box])
        except UserError as error:
            log.warning("%s", error)  # the event counts, the picture is a convenience

    def _reload_if_asked(self) -> None:
        if not self._reloading:
            if not self._controls.reload.is_set():
                return
            self._controls.reload_begins()
            self._notifier.reloading()
        self._reloading, refused = False, ""
        try:
            self._reloading = not self.reload()
        except UserError as error:
            log.error("the configuration is not reloaded, the old one goes on: %s", error)
            refused = str(error)
        except Exception as error:  # whatever stands in a file must not end what runs well
            log.exception("the configuration is not reloaded, the old one goes on")
            refused = f"it failed unexpectedly ({type(error).__name__}); the daemon's log says how"
        finally:
            if not self._reloading:
                self._controls.reload_ends(refused)
                self._notifier.ready()

    def _pause_if_asked(self) -> None:
        paused = self._controls.paused
        if paused == self._was_paused:
            return
        self._was_paused = paused
        if paused:
            self.view = None
            self._end_what_runs()
        log.warning("paused: nobody is watched until `resume`" if paused else "watching again")
        self._say_state()

    def _end_what_runs(self) -> None:
        for event in self._pipeline.finish(self._now_s):
            self._writer.write(event)
        self._say_state()
