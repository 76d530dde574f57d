from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.config.settings import Settings, change
from edge.daemon import build
from edge.daemon.camera_file import CameraFile
from edge.daemon.camera_setup import build_camera, build_frame_clock
from edge.daemon.configuration import ActiveConfiguration, load_configuration
from edge.daemon.controls import Controls
from edge.daemon.current_view import CurrentView
from edge.daemon.loop import FramePath
from edge.daemon.measurements import Measurements
from edge.daemon.messaging import Messaging, open_messaging
from edge.daemon.snapshot_store import SnapshotStore
from edge.health.health_report import HealthReport
from edge.health.reporters import InfoReporter
from edge.outputs.outputs import Outputs
from tests.support.footage.pictures import write_clip
from tests.support.ports import free_port
from tests.support.waiting import wait_until


class Parts:
    """The parts of a daemon that its outputs are built from."""

    def __init__(self, settings: Settings, messaging: Messaging) -> None:
        self.settings = settings
        self.messaging = messaging
        self.measurements = Measurements()
        self.controls = Controls()
        self.budget = FrameRateBudget()
        self.configuration = load_configuration(settings)
        self.camera = camera = build_camera(settings, True, self.budget, threading.Event())
        clock = build_frame_clock(camera)
        times = self.measurements.times
        pipeline = build.build_pipeline(self.configuration, clock, times)
        writer = build.build_writer(self.configuration, clock, messaging, None, times)
        snapshots = SnapshotStore(settings.snapshot)
        outputs = Outputs(settings.output, self.measurements.progress.idle_s)
        self.path = FramePath(camera.feed, pipeline, CurrentView(), writer, snapshots, outputs)
        info = InfoReporter(messaging.sink)
        self.active = ActiveConfiguration(self.configuration, writer, snapshots, info, outputs)

    def health_report(self) -> AbstractContextManager[HealthReport]:
        return build.build_health_report(
            self.settings,
            self.path,
            self.measurements,
            self.budget,
            self.controls,
            self.messaging,
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return change(
        Settings(),
        device="door1",
        camera={"source": str(write_clip(tmp_path / "hall.mp4", [90] * 5))},
        outbox={"path": str(tmp_path / "state" / "outbox.sqlite3")},
        mqtt={"host": "127.0.0.1", "port": free_port(), "health_interval_s": 0.02},
        snapshot={"path": str(tmp_path / "snapshots")},
    )


@pytest.fixture
def messaging(settings: Settings) -> Iterator[Messaging]:
    with open_messaging(settings, True, Measurements().times, {}, None) as opened:
        yield opened


@pytest.fixture
def parts(settings: Settings, messaging: Messaging) -> Iterator[Parts]:
    built = Parts(settings, messaging)
    with built.camera.feed:
        yield built


def test_start_after_an_error_is_counted(parts: Parts) -> None:
    with parts.health_report() as health:
        assert health.body()["restarts"] == 0
    with pytest.raises(ZeroDivisionError), parts.health_report():
        raise ZeroDivisionError
    with parts.health_report() as health:
        assert health.body()["restarts"] == 1


def test_without_mqtt_no_start_is_counted(tmp_path: Path, settings: Settings) -> None:
    with open_messaging(settings, False, Measurements().times, {}, None) as messaging:
        parts = Parts(settings, messaging)
        with parts.camera.feed, parts.health_report() as health:
            assert health.body()["restarts"] == 0
    assert not (tmp_path / "state").exists()


def test_metrics_and_preview_are_off_by_default(parts: Parts) -> None:
    threads = threading.active_count()
    with ExitStack() as stack:
        health = stack.enter_context(parts.health_report())
        stack.enter_context(build.build_metrics(parts.settings, health))
        stack.enter_context(
            build.build_preview_server(
                parts.settings,
                parts.path,
                parts.measurements.times,
                parts.controls,
                parts.active,
                CameraFile.in_state_directory(None),
            )
        )
        assert threading.active_count() == threads


def test_maintenance_deletes_expired_snapshots(tmp_path: Path, parts: Parts) -> None:
    expired = tmp_path / "snapshots" / "door1-1.jpg"
    expired.parent.mkdir()
    expired.touch()
    os.utime(expired, (1.0, 1.0))
    with ExitStack() as stack:
        health = stack.enter_context(parts.health_report())
        stack.enter_context(
            build.build_health_reporter(
                parts.settings, health, parts.messaging, parts.path.snapshots
            )
        )
        wait_until(lambda: not expired.exists(), "the maintenance")
    assert not expired.exists()
