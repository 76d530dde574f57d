from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.common.clock import UtcClock
from edge.common.errors import UserError
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings, change
from edge.daemon.configuration import ActiveConfiguration, load_configuration
from edge.daemon.event_writer import EventWriter
from edge.daemon.snapshot_store import SnapshotStore
from edge.health.reporters import InfoReporter
from edge.outputs.outputs import Outputs
from tests.support.alert_events import alert_event


class RecordingSink:
    """A sink that records events and the bodies of retained messages."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.retained: list[str] = []

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        self.events.append(payload)
        return len(self.events)

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        self.retained.append(leaf)


def test_missing_model_is_a_user_error() -> None:
    with pytest.raises(UserError, match="cannot read the model"):
        load_configuration(change(Settings(), classifier={"model": "/none.tflite"}))


def test_applied_configuration_reaches_every_part(tmp_path: Path) -> None:
    sink = RecordingSink()
    old = load_configuration(change(Settings(), device="door1"))
    writer = EventWriter(old.origin, UtcClock(lambda: 0.0), sink, None, StageTimes())
    snapshots, info = SnapshotStore(old.settings.snapshot), InfoReporter(sink)
    outputs = Outputs((), lambda: 0.0)
    active = ActiveConfiguration(old, writer, snapshots, info, outputs)
    assert active.settings is old.settings
    settings = change(
        old.settings,
        camera={"name": "hall"},
        snapshot={"enabled": True, "path": str(tmp_path)},
        events={"alert_threshold": 0.7},
        output=[{"name": "say", "command": ["/bin/true"]}],
    )
    new = load_configuration(settings)
    active.apply(new)
    writer.write(alert_event())
    assert active.settings is settings
    assert sink.events[0]["camera"] == "hall"
    assert sink.retained == ["info"]
    assert info.body["alert_threshold"] == 0.7
    assert [state.name for state in outputs.states()] == ["say"]
    with pytest.raises(UserError, match="there is no current picture"):
        snapshots.save_view(None, "door1-1")
