"""`mask-patrol run`: builds the daemon from its parts, runs it, and stops it in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.common.terminal import Terminal
from edge.config.settings import Settings
from edge.daemon import build
from edge.daemon.camera_file import CameraFile
from edge.daemon.camera_setup import Camera, build_camera, build_frame_clock
from edge.daemon.commands import build_commands
from edge.daemon.configuration import ActiveConfiguration, load_configuration
from edge.daemon.controls import Controls, signals_to
from edge.daemon.current_view import CurrentView
from edge.daemon.event_writer import open_events_file
from edge.daemon.loop import FramePath, Loop, Requests
from edge.daemon.measurements import Measurements
from edge.daemon.messaging import Messaging, open_messaging
from edge.daemon.resource_limits import limit_resources
from edge.daemon.snapshot_store import SnapshotStore
from edge.daemon.status_report import StatusReport
from edge.daemon.summary import closing_lines, opening_line
from edge.health.reporters import HealthReporter, InfoReporter
from edge.health.systemd_notify import Notifier
from edge.health.thermal_throttle import ThermalThrottle
from edge.outputs.outputs import Outputs

log = logging.getLogger(__name__)

EXIT_UNDELIVERED = 3


@dataclass(frozen=True)
class RunOptions:
    """The options of the command line that are not settings.

    `load` reads the settings again, for SIGHUP; it raises UserError. The Camera page saves to
    `camera_file`, which `load` reads as well.
    """

    load: Callable[[], Settings]
    camera_file: CameraFile
    events_file: Path | None = None
    mqtt: bool = True
    fast: bool = False
    watch: bool = False


def run(settings: Settings, options: RunOptions) -> int:
    """Run until the source ends or a stop is requested; return the exit code.

    0: the source ended, or the run was stopped by a signal. `EXIT_UNDELIVERED`: the source
    ended and events still wait in the outbox. Raises UserError for everything that keeps the
    daemon from working.

    The stack closes the resources in the reverse of the order in which they are entered here:
    the outputs that show the daemon's state (preview, LED, status file, metrics) first, then
    MQTT, then the camera, and the events file last.
    """
    with ExitStack() as stack:
        # Objects that the other parts share.
        measurements = Measurements()
        controls = Controls()
        notifier = Notifier()
        terminal = Terminal() if options.watch else None
        thermal = ThermalThrottle(settings.load.hot_c)
        budget = FrameRateBudget(lambda: thermal.share)
        view = CurrentView()

        # Threads inherit the limits, so the limits come before the first thread. The parts that
        # check the configuration come next: a mistake in it must end the start early.
        limit_resources(settings.load)
        configuration = load_configuration(settings)
        outputs = stack.enter_context(Outputs(settings.output, measurements.progress.idle_s))
        events_file = stack.enter_context(open_events_file(options.events_file))

        # The camera. Signals are handled from here on; before, Ctrl-C interrupts the start.
        camera = build_camera(settings, options.fast, budget, controls.stop_requested)
        stack.enter_context(camera.feed)
        stack.enter_context(signals_to(controls))

        # The outbox and MQTT; nothing is sent yet.
        snapshots = SnapshotStore(settings.snapshot)
        commands = build_commands(controls, snapshots, view, settings.device)
        messaging = stack.enter_context(
            open_messaging(settings, options.mqtt, measurements.times, commands, terminal)
        )

        # The parts from a frame to a committed event.
        clock = build_frame_clock(camera)
        pipeline = build.build_pipeline(configuration, clock, measurements.times)
        writer = build.build_writer(
            configuration, clock, messaging, events_file, measurements.times
        )
        path = FramePath(camera.feed, pipeline, view, writer, snapshots, outputs)

        # `info`, the reload that updates it, and the loop.
        info = InfoReporter(messaging.sink)
        active = ActiveConfiguration(configuration, writer, snapshots, info, outputs)
        reload = build.build_reload(configuration, options.load, camera, pipeline, active, outputs)
        requests = Requests(controls, reload)
        loop = build.build_loop(
            path, clock, messaging, measurements, notifier, terminal, requests, thermal
        )
        info.update(settings, configuration.classifier, configuration.detector.name)

        # Before anything is sent, alerts that a crash interrupted are ended in the outbox.
        if messaging.delivery is not None:
            writer.end_interrupted(messaging.delivery.outbox.running())
        messaging.start()

        # The outputs that show the daemon's state.
        health = stack.enter_context(
            build.build_health_report(settings, path, measurements, budget, controls, messaging)
        )
        stack.enter_context(build.build_metrics(settings, health))
        status = StatusReport(settings, messaging.delivery, pipeline, writer, info, health)
        stack.enter_context(build.build_status_outputs(settings, status, measurements.progress))
        stack.enter_context(
            build.build_preview_server(
                settings, path, measurements.times, controls, active, options.camera_file
            )
        )
        reporter = build.build_health_reporter(settings, health, messaging, snapshots)

        opening = opening_line(settings, messaging.delivery)
        log.info("%s", opening)
        if terminal is not None:
            terminal.show(f"{opening} Ctrl-C stops.\n")
        notifier.ready()

        def show_summary() -> None:
            if terminal is not None:
                for line in closing_lines(
                    measurements, health.body(), writer.written, messaging.received
                ):
                    terminal.show(line)

        waiting = _run_loop(loop, camera, outputs, reporter, messaging, show_summary)
        return EXIT_UNDELIVERED if waiting and not controls.stop_requested.is_set() else 0


def _run_loop(
    loop: Loop,
    camera: Camera,
    outputs: Outputs,
    reporter: HealthReporter,
    messaging: Messaging,
    show_summary: Callable[[], None],
) -> int:
    """Run the loop to its end, then deliver waiting events; return how many still wait."""
    with reporter:
        try:
            loop.run()
        finally:
            outputs.stop()  # first, because the loop no longer notices the end of an alert
            # The feed and the reporter stop while the broker takes the remaining events.
            camera.feed.request_stop()
            reporter.stop()
            waiting = messaging.finish()
            show_summary()
    return waiting
