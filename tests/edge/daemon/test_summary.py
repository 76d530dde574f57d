from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.stage_times import Progress, StageTimes
from edge.config.settings import Settings, change
from edge.daemon.measurements import Measurements
from edge.daemon.summary import closing_lines, opening_line
from edge.mqtt.delivery import Delivery


def test_opening_line_hides_passwords(tmp_path: Path) -> None:
    settings = change(
        Settings(),
        device="door1",
        camera={"source": "rtsp://me:secret@cam/1"},
        mqtt={"host": "broker.lan"},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
    )
    line = opening_line(settings, None)
    assert line.endswith("; no MQTT.")
    assert "secret" not in line
    with Delivery(settings, StageTimes()) as delivery:
        line = opening_line(settings, delivery)
    assert line.endswith("; broker broker.lan:1883, topic maskpatrol/door1/events.")


@pytest.mark.parametrize(
    ("received", "delivered"),
    [
        (None, "4 events: 3 acknowledged by the broker, 1 waiting"),
        (2, "4 events: 3 acknowledged by the broker, 2 received back, 1 waiting"),
    ],
)
def test_closing_lines_contain_the_counts(received: int | None, delivered: str) -> None:
    times = iter([0.0, 1.0, 2.0, 2.0])
    measurements = Measurements(StageTimes(), Progress(lambda: next(times)))
    measurements.times.add("detect", 0.012)
    measurements.progress.frame_done()
    health = {"events_acknowledged": 3, "outbox_depth": 1, "frames_dropped": 5}
    lines = closing_lines(measurements, health, 4, received)
    assert lines[-2:] == ["1 frames in 2.0 s (0.5 a second), 5 dropped", delivered]
    assert any(line.startswith("detect") for line in lines)
