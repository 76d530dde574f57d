"""`mask-patrol run`: the rooms put together, from opening the source to saying goodbye."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.camera.every_frame import EveryFrame
from edge.camera.feed import CameraFeed
from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import Source
from edge.camera.source_address import display_address
from edge.camera.source_factory import frame_rate_limit, is_recorded, open_source
from edge.classification.classifier import Classifier, alert_threshold, load_classifier
from edge.common.clock import UtcClock, age_s, monotonic_offset_s, now
from edge.common.errors import UserError
from edge.common.paths import runtime_directory
from edge.common.stage_times import Progress, StageTimes
from edge.common.terminal import Terminal
from edge.config.settings import Settings
from edge.daemon.controls import Controls, signals_to
from edge.daemon.event_writer import EventWriter, open_event_file
from edge.daemon.loop import Loop
from edge.daemon.preview_server import Preview, PreviewServer, in_use, preview_of, socket_path
from edge.daemon.reload import Reload
from edge.daemon.resource_limits import limit_resources
from edge.daemon.summary import closing_lines, opening_line
from edge.detection.face_detector import HaarDetector
from edge.events.episode_id import new_episode_id
from edge.events.pipeline import Pipeline
from edge.events.snapshot import Snapshots
from edge.health.disk_writes import DiskWrites
from edge.health.health_report import HealthReport
from edge.health.led import find_led
from edge.health.prometheus import MetricsEndpoint
from edge.health.reporters import HealthReporter, StateReporter, info_body
from edge.health.restart_counter import RestartCounter
from edge.health.status_file import status_outputs
from edge.health.systemd_notify import Notifier
from edge.health.thermal_throttle import ThermalThrottle
from edge.mqtt.alert_subscriber import AlertSubscriber
from edge.mqtt.delivery import Delivery, NullSink, outbox_path
from edge.mqtt.payloads import Origin

log = logging.getLogger(__name__)

EXIT_UNDELIVERED = 3
RESTARTS_NAME = "restarts.json"
#: How long the closing summary waits for what the broker still hands round.
ECHO_S = 2.0
#: How long the start waits for the watching subscriber, so that it misses nothing.
SUBSCRIBE_S = 5.0


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to the settings.

    `load` reads the settings anew, for SIGHUP; it raises UserError.
    """

    load: Callable[[], Settings]
    events_file: Path | None = None
    mqtt: bool = True
    fast: bool = False
    watch: bool = False


def run(settings: Settings, options: RunOptions) -> int:
    """Work until the source ends or we are told to stop; returns the exit code.

    0: ended or stopped as asked; `EXIT_UNDELIVERED`: the source ended and events
    still wait in the outbox. Raises UserError for whatever keeps it from working.
    """
    with ExitStack() as stack:
        return _Run(settings, options, stack).work()


class _Run:
    """One run: its parts, which end with `stack` in the reverse of the order they began."""

    def __init__(self, settings: Settings, options: RunOptions, stack: ExitStack) -> None:
        self._settings = settings
        #: What holds since the last reload; the rest of `_settings` holds until the end.
        self._holds = settings
        self._options = options
        self._times = StageTimes()
        self._progress = Progress()
        self._controls = controls = Controls()
        self._notifier = Notifier()
        self._screen = Terminal()
        self._thermal = ThermalThrottle(settings.load.hot_c)
        self._allowance = FrameRateBudget(lambda: self._thermal.share)
        limit_resources(settings.load)
        classifier = load_classifier(settings.classifier)
        detector = HaarDetector(settings.detector)
        event_log = stack.enter_context(open_event_file(options.events_file))
        feed = self._open_feed()
        stack.enter_context(feed)
        self._feed = feed
        stack.enter_context(signals_to(self._controls))
        self._delivery = self._open_delivery(stack)
        self._watcher = self._start_watcher(stack)
        utc = UtcClock(self._utc_offset())
        pipeline = Pipeline(settings, detector, classifier, utc, self._times)
        self._pipeline = pipeline
        sink = self._delivery or NullSink()
        origin = Origin(settings.device, settings.camera.name, classifier.digest)
        live = not isinstance(feed, EveryFrame)
        clock = time.monotonic if live else None
        self._writer = EventWriter(origin, utc, sink, event_log, self._times, clock)
        self._loop = Loop(
            self._feed,
            pipeline,
            self._writer,
            StateReporter(sink, utc),
            self._controls,
            self._notifier,
            self._times,
            self._progress,
            self._screen if options.watch else None,
            starts_at_s=time.monotonic() if live else 0.0,
            delivers=self._delivery.alive if self._delivery is not None else lambda: True,
            thermal=self._thermal,
        )
        if settings.snapshot.enabled:
            self._loop.snapshots = Snapshots(settings.snapshot)
        reload = Reload(
            settings, options.load, self._open, self._feed, pipeline, classifier, detector
        )
        reload.on_change = self._take_over
        self._loop.reload = reload
        self._info: dict[str, Any] = {}
        self._say_what_runs(settings, classifier)
        if self._delivery is not None:
            self._writer.end(self._delivery.outbox.running())
            self._delivery.start()
        self._vitals = self._open_vitals(stack)
        led = find_led(settings.board.led)
        stack.enter_context(
            status_outputs(runtime_directory(), led, self._status, self._progress.idle_s)
        )
        if settings.camera.preview:
            path, use = socket_path(settings.camera), partial(in_use, controls, lambda: self._holds)
            stack.enter_context(PreviewServer(path, self._preview, use, controls.reload.set))

    def work(self) -> int:
        opening = opening_line(self._settings, self._delivery)
        log.info("%s", opening)
        if self._options.watch:
            self._screen.show(f"{opening} Ctrl-C stops.\n")
        interval_s = self._settings.mqtt.health_interval_s
        reporter = HealthReporter(
            self._delivery or NullSink(), self._vitals.body, interval_s, self._chores
        )
        self._notifier.ready()
        with reporter:
            try:
                self._loop.run()
            finally:
                # Both leave in the background, while the broker gets the rest.
                self._feed.leave()
                reporter.leave()
                waiting = self._say_goodbye()
        return EXIT_UNDELIVERED if waiting and not self._controls.stopped.is_set() else 0

    def _say_goodbye(self) -> int:
        """Deliver and show the rest; how many events wait on disk after that."""
        waiting = 0
        if self._delivery is not None:
            waiting = _deliver_the_rest(self._delivery)
            if self._watcher is not None:
                self._watcher.wait_for(self._delivery.publisher.acknowledged, ECHO_S)
        if self._options.watch:
            received = None if self._watcher is None else self._watcher.received
            figures, written = self._vitals.body(), self._writer.written
            for line in closing_lines(self._progress, self._times, figures, written, received):
                self._screen.show(line)
        return waiting

    def _open_feed(self) -> EveryFrame | CameraFeed:
        camera = self._settings.camera
        if self._options.fast and is_recorded(camera):  # what is live has a pace of its own
            return EveryFrame(self._open(self._settings))
        return CameraFeed(lambda: self._open(self._settings), camera, self._controls.stopped)

    def _open(self, settings: Settings) -> Source:
        camera = settings.camera
        # A recording played fast is to give the same, however hot the machine.
        allowance = FrameRateBudget() if self._options.fast else self._allowance
        return open_source(camera, frame_rate_limit(camera, allowance), settings.detector.width_px)

    def _open_delivery(self, stack: ExitStack) -> Delivery | None:
        if not self._options.mqtt:
            return None
        verbs = {
            "pause": self._controls.pause,
            "resume": self._controls.resume,
            "snapshot": self._snapshot,
        }
        return stack.enter_context(Delivery(self._settings, self._times, verbs=verbs))

    def _open_vitals(self, stack: ExitStack) -> HealthReport:
        restarts, folder = 0, None
        if self._delivery is not None:
            path = outbox_path(self._settings).with_name(RESTARTS_NAME)
            folder = path.parent
            restarts = stack.enter_context(RestartCounter(path)).count
        vitals = HealthReport(
            self._progress,
            self._times,
            self._feed,
            lambda: self._controls.paused,
            self._delivery,
            restarts,
            lambda: self._pipeline.work_counts,
            self._allowance,
            DiskWrites(folder),
        )
        if self._settings.metrics.port is not None:
            stack.enter_context(
                MetricsEndpoint(self._settings.metrics, vitals.body, self._settings.device)
            )
        return vitals

    def _status(self) -> dict[str, Any]:
        """What `mask-patrol status` shows."""
        body = standing(self._settings, self._delivery, self._pipeline, self._writer)
        return {**body, "info": self._info, "health": self._vitals.body()}

    def _start_watcher(self, stack: ExitStack) -> AlertSubscriber | None:
        if not self._options.watch or self._delivery is None:
            return None
        broker, base = self._delivery.broker, self._settings.mqtt.base
        watcher = AlertSubscriber(broker, base, self._screen.show, self._settings.device)
        watcher.start_in_background(SUBSCRIBE_S)
        stack.callback(watcher.stop)
        return watcher

    def _utc_offset(self) -> Callable[[], float]:
        if isinstance(self._feed, EveryFrame):
            started_s = time.time()
            return lambda: started_s
        return monotonic_offset_s

    def _snapshot(self) -> dict[str, Any]:
        """The command: a picture of now on this device's disk."""
        loop = self._loop
        if loop.snapshots is None:
            raise UserError("snapshots are off; snapshot.enabled in the configuration allows them")
        view = loop.view
        if view is None:
            raise UserError("there is no picture of now: the camera is away, or the watch paused")
        name = new_episode_id(self._settings.device)
        path = loop.snapshots.save(name, view.frame, view.alerts)
        return {"file": str(path)}

    def _preview(self) -> Preview | None:
        """What is seen now, for the dashboard's Camera page."""
        view = self._loop.view
        if view is None:
            return None
        return preview_of(view.frame, self._pipeline.tracks, self._times.quantiles())

    def _chores(self) -> None:
        if self._delivery is not None:
            self._delivery.tend()
        # Also when none are made any more: what there is grows old all the same.
        (self._loop.snapshots or Snapshots(self._settings.snapshot)).delete_expired()

    def _take_over(self, settings: Settings, classifier: Classifier) -> None:
        """What a reloaded configuration changes outside the pipeline."""
        self._holds = settings
        self._writer.origin = Origin(settings.device, settings.camera.name, classifier.digest)
        on = settings.snapshot.enabled
        self._loop.snapshots = Snapshots(settings.snapshot) if on else None
        self._say_what_runs(settings, classifier)

    def _say_what_runs(self, settings: Settings, classifier: Classifier) -> None:
        threshold = alert_threshold(settings.events, classifier.card)
        self._info = info_body(settings, classifier, threshold)
        if self._delivery is not None:
            self._delivery.retain("info", self._info, qos=1)


def _deliver_the_rest(delivery: Delivery) -> int:
    """Give the broker what it will still take; how many events wait on disk after that."""
    waiting = delivery.flush()
    if waiting:
        log.warning(
            "%d events were not delivered (%s); they wait in %s",
            waiting,
            delivery.publisher.failure or "the broker was too slow",
            delivery.outbox.path,
        )
    return waiting


def standing(
    settings: Settings, delivery: Delivery | None, pipeline: Pipeline, writer: EventWriter
) -> dict[str, Any]:
    """What the file tells beside `info` and `health`; no secrets."""
    failure = None if delivery is None else delivery.publisher.failure
    return {
        "device": settings.device,
        "source": display_address(settings.camera),
        "broker": None if delivery is None else delivery.broker.address,
        "broker_failure": None if failure is None else str(failure),
        "people": len(pipeline.tracks),
        "alerting": pipeline.alert_count,
        "last_event": writer.last,
        "last_event_age_s": None if writer.last_at is None else age_s(writer.last_at, now()),
    }
