from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from edge.common.clock import UtcClock, now
from edge.common.errors import UsageError
from edge.common.stage_times import StageTimes
from edge.daemon.event_writer import EventWriter, open_events_file
from edge.mqtt.payloads import Origin
from edge.outbox.tables import PendingEvent
from tests.support.alert_events import alert_event
from tests.support.mqtt.event_payloads import START

ORIGIN = Origin("door1", "entrance", "sha256:1")


class RecordingSink:
    """A sink that numbers events from 1 and records them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.lags_s: list[float | None] = []

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        self.events.append(payload)
        self.lags_s.append(lag_s)
        return len(self.events)

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        raise AssertionError("the writer publishes no reports")


class FullDisk(io.RawIOBase):
    """A file that cannot be written while `full`."""

    def __init__(self) -> None:
        self.full = True

    def write(self, data: Any) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return len(data)


def build_writer(sink: RecordingSink, file: Any = None, clock: Any = None) -> EventWriter:
    return EventWriter(ORIGIN, UtcClock(lambda: 0.0), sink, file, StageTimes(), clock)


def test_event_is_committed_with_its_origin() -> None:
    sink = RecordingSink()
    writer = build_writer(sink)
    writer.write(alert_event())
    writer.change_origin(Origin("door1", "hall", "sha256:2"))
    writer.write(alert_event("no_mask_end"))
    first, second = sink.events
    assert (first["id"], first["camera"], first["model"]) == ("door1-1", "entrance", "sha256:1")
    assert (second["camera"], second["model"]) == ("hall", "sha256:2")
    assert writer.written == 2
    assert writer.last == {**second, "seq": 2}


@pytest.mark.parametrize(
    ("live", "captured_at_s", "lag_s"), [(True, 9.5, 0.5), (True, None, None), (False, 9.5, None)]
)
def test_lag_is_known_for_live_frames_only(
    live: bool, captured_at_s: float | None, lag_s: float | None
) -> None:
    sink = RecordingSink()
    writer = build_writer(sink, clock=(lambda: 10.0) if live else None)
    writer.write(alert_event(), captured_at_s)
    assert sink.lags_s == [lag_s]


def test_interrupted_alerts_get_an_end(caplog: pytest.LogCaptureFixture) -> None:
    sink = RecordingSink()
    build_writer(sink).end_interrupted([PendingEvent(7, now(), START)])
    (end,) = sink.events
    assert (end["event_type"], end["ended_by"], end["id"]) == (
        "no_mask_end",
        "shutdown",
        START["id"],
    )
    assert "was interrupted by a crash or a power failure" in caplog.text


def test_events_file_gets_one_line_per_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"seq": 0}\n')
    with open_events_file(path) as file:
        writer = build_writer(RecordingSink(), file)
        writer.write(alert_event())
        writer.write(alert_event("no_mask_end"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1, 2]
    assert (lines[1]["age_s"], lines[1]["replayed"]) == (0.0, False)


def test_full_disk_is_logged_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    sink, file = RecordingSink(), FullDisk()
    writer = build_writer(sink, file)
    for full in (True, True, False, True):
        file.full = full
        writer.write(alert_event())
    assert len(sink.events) == 4
    assert caplog.text.count("cannot write to the events file: No space left") == 2


def test_unwritable_events_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the events file"):
        open_events_file(tmp_path / "missing" / "events.jsonl")
    with open_events_file(None) as file:
        assert file is None
