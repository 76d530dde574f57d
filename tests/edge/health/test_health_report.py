from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import CameraStatus, Frame
from edge.common.stage_times import Progress, StageTimes
from edge.config.settings import Settings, change
from edge.health.disk_writes import DiskWrites
from edge.health.health_report import BoardSources, FrameSources, HealthReport
from edge.mqtt.delivery import Delivery
from edge.outputs.state import PinState, ProgramState

DELIVERY_FIELDS = {
    "connected",
    "connections",
    "mqtt_version",
    "events_acknowledged",
    "outbox_depth",
    "outbox_on_disk",
    "events_dropped",
}
GOOD_CAMERA = CameraStatus("ok", "", 0.123, reopened=1, dropped=2)


class IdleFeed:
    """A feed without frames whose status a test sets."""

    def __init__(self, status: CameraStatus) -> None:
        self._status = status
        self.over = False

    def take(self, timeout_s: float) -> Frame | None:
        return None

    def status(self) -> CameraStatus:
        return self._status


def build_report(
    camera: CameraStatus = GOOD_CAMERA,
    share: float = 1.0,
    flags: list[str] | None = None,
    delivery: Delivery | None = None,
    warning: str = "",
) -> HealthReport:
    frames = FrameSources(
        IdleFeed(camera),
        Progress(lambda: 5.0),
        StageTimes(),
        FrameRateBudget(lambda: share),
        searches=lambda: {"full": 3},
        paused=lambda: False,
        warning=lambda: warning,
    )
    writes = DiskWrites(None, lambda: 0.0, lambda: 7)
    board = BoardSources(2, writes, lambda: 51.0, lambda: flags)
    return HealthReport(frames, board, delivery)


def test_healthy_daemon_has_no_warnings() -> None:
    body = build_report(flags=[]).body()
    assert body["warnings"] == []
    assert (body["camera"], body["frame_age_s"]) == ("ok", 0.12)
    assert (body["frames_dropped"], body["camera_reopened"]) == (2, 1)
    assert (body["temperature_c"], body["throttled"], body["restarts"]) == (51.0, False, 2)
    assert (body["searches"], body["written_bytes"]) == ({"full": 3}, 7)


def test_each_fault_adds_a_warning() -> None:
    camera = CameraStatus("stalled", "the camera delivers nothing", None, 0, 0)
    body = build_report(camera, share=0.7, flags=["under-voltage"], warning="too few frames").body()
    assert body["warnings"] == [
        "the camera delivers nothing",
        "too few frames",
        "the board is hot: the frame rate is reduced to 70%",
        "the board's firmware reports: under-voltage",
    ]
    assert (body["fps_share"], body["throttled"], body["frame_age_s"]) == (0.7, True, None)


def test_board_without_flags_reports_none() -> None:
    assert build_report(flags=None).body()["throttled"] is None


def test_without_mqtt_delivery_fields_are_missing() -> None:
    assert not DELIVERY_FIELDS & build_report().body().keys()


@pytest.mark.parametrize("writable", [True, False])
def test_outbox_in_memory_is_a_warning(tmp_path: Path, writable: bool) -> None:
    outbox: dict[str, Any] = {"path": str(tmp_path / "outbox.sqlite3")}
    if not writable:
        (tmp_path / "file").touch()
        outbox["path"] = str(tmp_path / "file" / "outbox.sqlite3")
    settings = change(Settings(), device="d", mqtt={"host": "127.0.0.1"}, outbox=outbox)
    with Delivery(settings, StageTimes()) as delivery:
        delivery.put({"id": "d-1", "event_type": "no_mask_start"})
        body = build_report(delivery=delivery).body()
    assert body.keys() >= DELIVERY_FIELDS
    assert (body["outbox_depth"], body["outbox_on_disk"]) == (1, writable)
    assert (body["connected"], body["events_acknowledged"]) == (False, 0)
    assert bool(body["warnings"]) is not writable


def test_outputs_are_reported_and_their_problems_are_warnings() -> None:
    states = [
        PinState("light", "GPIO17", True),
        PinState("siren", "GPIO27", False, "GPIO27 is in use"),
        ProgramState("voice", "/usr/bin/aplay", 1, 4, 0, 2),
    ]
    healthy = build_report()
    report = HealthReport(healthy._frames, healthy._board, None, lambda: states)
    body = report.body()
    assert [output["name"] for output in body["outputs"]] == ["light", "siren", "voice"]
    assert body["outputs"][2]["left_out"] == 2
    assert body["warnings"] == ["output siren: GPIO27 is in use"]
