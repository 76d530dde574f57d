from __future__ import annotations

from pathlib import Path

from edge.camera.every_frame import EveryFrame
from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source_factory import open_source
from edge.common.clock import UtcClock
from edge.common.stage_times import Progress, StageTimes
from edge.config.settings import Settings, change
from edge.daemon.configuration import load_configuration
from edge.daemon.event_writer import EventWriter
from edge.daemon.status_report import StatusReport
from edge.events.pipeline import Pipeline
from edge.health.disk_writes import DiskWrites
from edge.health.health_report import BoardSources, FrameSources, HealthReport
from edge.health.reporters import InfoReporter
from edge.mqtt.delivery import NullSink
from tests.support.alert_events import alert_event
from tests.support.footage.pictures import write_clip


def test_status_combines_all_parts(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "hall.mp4", [90] * 5)
    settings = change(Settings(), device="door1", camera={"source": str(clip)})
    configuration = load_configuration(settings)
    times, utc, sink = StageTimes(), UtcClock(lambda: 0.0), NullSink()
    pipeline = Pipeline(settings, configuration.detector, configuration.classifier, utc, times)
    writer = EventWriter(configuration.origin, utc, sink, None, times)
    info = InfoReporter(sink)
    info.update(settings, configuration.classifier, "haar")
    with EveryFrame(open_source(settings.camera)) as feed:
        frames = FrameSources(feed, Progress(), times, FrameRateBudget(), lambda: {}, lambda: False)
        health = HealthReport(frames, BoardSources(0, DiskWrites(None)), None)
        report = StatusReport(settings, None, pipeline, writer, info, health)
        before = report.body()
        writer.write(alert_event())
        after = report.body()
    assert (before["device"], before["source"]) == ("door1", str(clip))
    assert (before["broker"], before["broker_failure"]) == (None, None)
    assert (before["people"], before["alerting"]) == (0, 0)
    assert (before["last_event"], before["last_event_age_s"]) == (None, None)
    assert before["info"]["alert_on"] == ("no_mask",)
    assert before["health"]["camera"] == "starting"
    assert after["last_event"]["event_type"] == "no_mask_start"
    assert after["last_event_age_s"] >= 0.0
