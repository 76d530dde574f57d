"""Builds the parts of the daemon: one function per subsystem.

Each function takes what its part needs and returns the part. A part that holds a resource is a
context manager; `edge.daemon.run.run` enters it, so that the order of start and stop can be read
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import BinaryIO

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.common.paths import runtime_directory
from edge.common.stage_times import Progress, StageTimes
from edge.common.terminal import Terminal
from edge.config.settings import Settings
from edge.daemon.camera_file import CameraFile
from edge.daemon.camera_setup import Camera, FrameClock
from edge.daemon.configuration import ActiveConfiguration, Configuration
from edge.daemon.controls import Controls
from edge.daemon.event_writer import EventWriter
from edge.daemon.loop import FramePath, Loop, Reports, Requests, Supervision
from edge.daemon.measurements import Measurements
from edge.daemon.messaging import Messaging
from edge.daemon.preview_server import (
    Preview,
    PreviewServer,
    PreviewSettings,
    make_preview,
    socket_path,
)
from edge.daemon.reload import Reload
from edge.daemon.snapshot_store import SnapshotStore
from edge.daemon.status_report import StatusReport
from edge.events.pipeline import Pipeline
from edge.health.disk_writes import DiskWrites
from edge.health.health_report import BoardSources, FrameSources, HealthReport
from edge.health.led import find_led
from edge.health.prometheus import MetricsEndpoint
from edge.health.reporters import HealthReporter, StateReporter
from edge.health.restart_counter import RestartCounter
from edge.health.status_file import status_outputs
from edge.health.systemd_notify import Notifier
from edge.health.thermal_throttle import ThermalThrottle
from edge.mqtt.delivery import outbox_path
from edge.outputs.outputs import Outputs

RESTARTS_NAME = "restarts.json"


def build_pipeline(configuration: Configuration, clock: FrameClock, times: StageTimes) -> Pipeline:
    """Build the path from a frame to its events.

    Raises UserError when the zone is not a polygon, or the model lacks a label of
    `events.alert_on`.
    """
    return Pipeline(
        configuration.settings,
        configuration.detector,
        configuration.classifier,
        clock.utc,
        times,
    )


def build_writer(
    configuration: Configuration,
    clock: FrameClock,
    messaging: Messaging,
    events_file: BinaryIO | None,
    times: StageTimes,
) -> EventWriter:
    """Build the writer, which commits events to the outbox and copies them to the events file."""
    return EventWriter(
        configuration.origin, clock.utc, messaging.sink, events_file, times, clock.now
    )


def build_reload(
    configuration: Configuration,
    load: Callable[[], Settings],
    camera: Camera,
    pipeline: Pipeline,
    active: ActiveConfiguration,
    outputs: Outputs,
) -> Reload:
    """Build the reload, which applies a configuration to the camera, the pipeline and `active`."""
    return Reload(
        configuration,
        load,
        camera.open_source,
        camera.feed,
        pipeline,
        active.apply,
        lambda settings: outputs.check(settings.output),
    )


def build_loop(
    path: FramePath,
    clock: FrameClock,
    messaging: Messaging,
    measurements: Measurements,
    notifier: Notifier,
    terminal: Terminal | None,
    requests: Requests,
    thermal: ThermalThrottle,
) -> Loop:
    """Build the loop of the main thread."""
    state = StateReporter(messaging.sink, clock.utc)
    return Loop(
        path,
        Reports(state, notifier, measurements.times, measurements.progress, terminal),
        requests,
        Supervision(messaging.alive, thermal),
        starts_at_s=clock.starts_at_s,
    )


@contextmanager
def build_health_report(
    settings: Settings,
    path: FramePath,
    measurements: Measurements,
    budget: FrameRateBudget,
    controls: Controls,
    messaging: Messaging,
) -> Iterator[HealthReport]:
    """Build the health report, and count this start if the previous run did not end cleanly.

    The context must last for the whole run, because leaving it records a clean end. Without MQTT
    nothing is kept on disk, and starts are not counted.
    """
    frames = FrameSources(
        path.feed,
        measurements.progress,
        measurements.times,
        budget,
        searches=lambda: path.pipeline.work_counts,
        paused=lambda: controls.paused,
        warning=lambda: path.pipeline.warning,
    )
    outputs = path.outputs.states
    if messaging.delivery is None:
        yield HealthReport(frames, BoardSources(0, DiskWrites(None)), None, outputs)
        return
    state_folder = outbox_path(settings).parent
    with RestartCounter(state_folder / RESTARTS_NAME) as restarts:
        board = BoardSources(restarts.count, DiskWrites(state_folder))
        yield HealthReport(frames, board, messaging.delivery, outputs)


def build_metrics(settings: Settings, health: HealthReport) -> AbstractContextManager[object]:
    """Build the Prometheus endpoint, if `metrics.port` is set."""
    if settings.metrics.port is None:
        return nullcontext()
    return MetricsEndpoint(settings.metrics, health.body, settings.device)


def build_status_outputs(
    settings: Settings, status: StatusReport, progress: Progress
) -> AbstractContextManager[None]:
    """Build the writer of the status file and the LED's controller.

    The file is written only with systemd's RuntimeDirectory, and blinking needs an LED.
    """
    led = find_led(settings.board.led)
    return status_outputs(runtime_directory(), led, status.body, progress.idle_s)


def build_preview_server(
    settings: Settings,
    path: FramePath,
    times: StageTimes,
    controls: Controls,
    active: ActiveConfiguration,
    camera_file: CameraFile,
) -> AbstractContextManager[object]:
    """Build the socket of the dashboard's Camera and Snapshots pages, if `camera.preview` is on.

    The page saves to `camera_file`.
    """
    if not settings.camera.preview:
        return nullcontext()

    def preview() -> Preview | None:
        view = path.view.get()
        if view is None:
            return None
        return make_preview(view.frame, path.pipeline.tracks, times.quantiles())

    return PreviewServer(
        socket_path(settings.camera),
        preview,
        PreviewSettings(controls, lambda: active.settings, camera_file),
        path.snapshots,
    )


def build_health_reporter(
    settings: Settings, health: HealthReport, messaging: Messaging, snapshots: SnapshotStore
) -> HealthReporter:
    """Build the thread that publishes `health` and does the periodic maintenance."""

    def maintain() -> None:
        if messaging.delivery is not None:
            messaging.delivery.run_maintenance()
        snapshots.delete_expired()

    return HealthReporter(
        messaging.sink, health.body, settings.mqtt.health_interval_s, maintain, health.camera_state
    )
