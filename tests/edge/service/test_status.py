"""`mask-patrol status`: what the screen shows, and how the status file is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.common.clock import now
from edge.common.errors import UserError
from edge.health.status_file import write_status
from edge.service.status import (
    STALE_S,
    DeviceReport,
    duration,
    read_report,
    report_json,
    screen_lines,
)
from edge.service.systemd_unit import ServiceState
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until

RUNNING = ServiceState(True, "active", "running", "success", 0, 3725.0, 77)
HEALTH: dict[str, Any] = {
    "camera": "ok",
    "fps": 9.96,
    "frame_age_s": 0.1,
    "paused": False,
    "memory_mb": 91.4,
    "temperature_c": 51.2,
    "throttled": False,
    "written_bytes_per_day": 3_140_000,
    "card_bytes_per_day": None,
    "connected": True,
    "mqtt_version": "5",
    "events_acknowledged": 12,
    "events_dropped": 0,
    "outbox_depth": 0,
    "outbox_on_disk": True,
    "warnings": [],
}
STATUS: dict[str, Any] = {
    "pid": 77,
    "boot_s": 0.0,
    "device": "door1",
    "source": "/dev/video0",
    "broker": "broker.lan:8883",
    "broker_failure": None,
    "people": 2,
    "alerting": 1,
    "info": {
        "version": "0.1.0",
        "runtime": "tflite-runtime",
        "detector": {"kind": "both", "name": "face-320x240 in tflite-runtime"},
        "alert_threshold": 0.8012,
        "model": {"name": "mask-96", "labels": ["mask", "no_mask"]},
    },
    "health": HEALTH,
    "last_event": {
        "event_type": "no_mask_end",
        "time": "2026-03-01T08:15:03.218Z",
        "ended_by": "masked",
        "score": 0.2,
        "seq": 4217,
    },
    "last_event_age_s": 121.0,
}


def report(status: dict[str, Any] | None = STATUS, **changes: Any) -> DeviceReport:
    fields = {
        "service": RUNNING,
        "status": status,
        "age_s": 1.0,
        "version": "0.2.0+ab",
        "previous": None,
    }
    return DeviceReport(**{**fields, **changes})


def status_with(**changes: Any) -> dict[str, Any]:
    """Return the status with changes in its `health`."""
    return {**STATUS, "health": {**HEALTH, **changes}}


def test_screen_shows_all_parts() -> None:
    assert list(screen_lines(report())) == [
        "Mask Patrol 0.2.0+ab, device door1",
        "service     running for 1 h 2 min",
        "camera      ok: /dev/video0, 10.0 frames/s, newest frame 1.1 s ago",
        "            2 people in view, 1 of them without a mask",
        "model       mask-96 (mask, no_mask), alert threshold 0.80, tflite-runtime",
        "detector    both: face-320x240 in tflite-runtime",
        "broker      connected to broker.lan:8883 (MQTT 5), 12 events delivered since the start",
        "outbox      0 events queued, on disk",
        "board       51 °C, not throttled, 91 MB of memory, 3.1 MB per day written by the daemon",
        "last event  no_mask_end 2 min ago, at 2026-03-01T08:15:03.218Z, masked, seq 4217",
    ]
    assert report().healthy


def test_screen_shows_each_output_and_a_problem_of_one_is_a_problem() -> None:
    light: dict[str, Any] = {"name": "light", "pin": "GPIO17", "on": True, "problem": ""}
    voice = {
        "name": "voice", "program": "/usr/bin/aplay", "running": 0, "started": 5, "failed": 2,
        "left_out": 1, "problem": "",
    }  # fmt: skip
    shown = report(status_with(outputs=[light, voice]))
    lines = list(screen_lines(shown))
    assert lines[8:10] == [
        "outputs     light: GPIO17, on",
        "            voice: /usr/bin/aplay, started 5 times, 2 failed, 1 left out because of"
        " max_running",
    ]
    assert shown.healthy
    for broken in ({**light, "problem": "GPIO17 is busy"}, {**voice, "problem": "exit code 1"}):
        shown = report(status_with(outputs=[broken]))
        assert list(screen_lines(shown))[8].endswith(str(broken["problem"]))
        assert not shown.healthy


def test_screen_shows_the_title_beside_the_name() -> None:
    status = {**STATUS, "info": {**STATUS["info"], "title": "Tür 1"}}
    first = next(iter(screen_lines(report(status))))
    assert first == "Mask Patrol 0.2.0+ab, device Tür 1 (door1)"


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = "\x1b]0;x\x07\nservice     running"
    status = {
        **status_with(warnings=[text]),
        "device": text,
        "info": {**STATUS["info"], "title": text},
        "source": text,
    }
    lines = list(screen_lines(report(status)))
    assert [line for line in lines if not line.isprintable()] == []
    assert lines[0].endswith(r"(\x1b]0;x\x07\nservice     running)")
    assert len(lines) == len(list(screen_lines(report()))) + 1


def test_screen_shows_from_which_score_on_the_model_is_sure() -> None:
    info = {**STATUS["info"], "unsure": {"mask": 0.96, "no_mask": 0.9155}}
    row = (
        "model       mask-96 (mask, no_mask), alert threshold 0.80, unsure below 0.96 (mask),"
        " 0.92 (no_mask), tflite-runtime"
    )
    assert row in screen_lines(report({**STATUS, "info": info}))


def test_screen_shows_read_only_root() -> None:
    row = "root        read-only: changes are lost at the next boot"
    assert list(screen_lines(report(root_read_only=True)))[2] == row


def test_screen_shows_problems() -> None:
    status = {
        **status_with(
            camera="stalled",
            connected=False,
            outbox_on_disk=False,
            events_dropped=3,
            warnings=["/dev/video0 has delivered nothing for 10 s"],
        ),
        "broker_failure": "cannot reach the broker",
        "last_event": None,
        "last_event_age_s": None,
    }
    screen = "\n".join(screen_lines(report(status, previous="0.1.0+cd")))
    for expected in (
        "0.2.0+ab (previous: 0.1.0+cd)",
        "NOT connected to broker.lan:8883: cannot reach the broker",
        "in MEMORY only, 3 lost so far",
        "none since the start",
        "warning     /dev/video0 has delivered nothing for 10 s",
    ):
        assert expected in screen


@pytest.mark.parametrize(
    "changes", [{"camera": "black"}, {"connected": False}, {"outbox_on_disk": False}]
)
def test_any_problem_makes_report_unhealthy(changes: dict[str, Any]) -> None:
    assert not report(status_with(**changes)).healthy


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (None, "systemd does not reply"),
        (ServiceState(False, "inactive", "dead", "success", 0, None, 0), "not installed"),
        (
            ServiceState(True, "inactive", "dead", "success", 0, None, 0),
            "not running (inactive): sudo systemctl start mask-patrol",
        ),
        (
            ServiceState(True, "activating", "auto-restart", "watchdog", 3, 9.0, 0),
            "failed (watchdog), will be restarted, restarted 3 times: journalctl",
        ),
        (ServiceState(True, "failed", "failed", "exit-code", 0, 9.0, 0), "failed (exit-code): "),
        (ServiceState(True, "activating", "start", "success", 0, None, 8), "starting"),
        (RUNNING, "running for 1 h 2 min; no status yet"),
    ],
)
def test_screen_without_status_file(service: ServiceState | None, expected: str) -> None:
    without_status = report(None, service=service, age_s=None)
    assert not without_status.healthy
    _, line = screen_lines(without_status)
    assert line.startswith("service     ")
    assert expected in line


def test_stale_status_is_unhealthy() -> None:
    stale = report(age_s=STALE_S + 50.0)
    assert not stale.healthy
    assert "no status for 1 min: the last one follows" in "\n".join(screen_lines(stale))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "an unknown time"), (0.04, "0.0 s"), (12.3, "12 s"), (59.9, "60 s"), (90.0, "2 min"),
     (7199.0, "1 h 59 min"), (90_061.0, "1 d 1 h")],
)  # fmt: skip
def test_duration_has_two_units_at_most(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


def test_written_status_is_read(tmp_path: Path) -> None:
    write_status(tmp_path / "status.json", {key: STATUS[key] for key in STATUS.keys() - {"boot_s"}})
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644
    found = read_report(tmp_path)
    assert found.fresh
    assert found.status is not None
    assert found.status["pid"] == 77
    assert json.loads(report_json(found))["well"] is True
    old = {**STATUS, "boot_s": now().boot_s - 2.0 * STALE_S}
    (tmp_path / "status.json").write_text(json.dumps(old))
    assert not read_report(tmp_path).fresh


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "it is not JSON"),
        ("[]", "by another version"),
        ('{"pid": 1}', "by another version"),
        ('{"pid": 1, "boot_s": 2.0, "info": {}, "health": []}', "by another version"),
        ('{"pid": 1, "boot_s": null, "info": {}, "health": {}}', "by another version"),
    ],
)
def test_invalid_status_file_is_an_error(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(UserError, match=expected):
        read_report(tmp_path)


@pytest.mark.parametrize("planted", ["link", "fifo"])
def test_planted_status_is_not_followed(tmp_path: Path, planted: str) -> None:
    """Root reads the status in the folder of the daemon's account, during an update for example."""
    secret, file = tmp_path / "secret", tmp_path / "status.json"
    secret.write_text(json.dumps(STATUS))
    file.symlink_to(secret) if planted == "link" else os.mkfifo(file)
    with pytest.raises(UserError, match="cannot read"):
        read_report(tmp_path)


@pytest.mark.parametrize("lacking", ["broker_failure", "device", "source", "last_event"])
def test_status_without_a_key_is_shown(lacking: str) -> None:
    status = {key: value for key, value in status_with(connected=False).items() if key != lacking}
    found = report(status)
    assert not found.healthy
    assert any(line.startswith("service     running") for line in screen_lines(found))
    if lacking != "device":
        assert "the status is that of another version" in "\n".join(screen_lines(found))
    assert not report({**STATUS, "health": {"connected": True}}).healthy


@pytest.mark.slow
def test_running_daemon_writes_its_status(tmp_path: Path, mosquitto: Mosquitto) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    arguments = ("run", "--broker", f"127.0.0.1:{mosquitto.port}")
    process = subprocess.Popen(
        command(arguments), env={**environment(tmp_path), "RUNTIME_DIRECTORY": str(runtime)}
    )
    try:
        wait_until(lambda: read_report(runtime).healthy, "the daemon is healthy")
        wait_until(
            lambda: (read_report(runtime).status or {}).get("last_event") is not None,
            "the first alert",
        )
        screen = "\n".join(screen_lines(read_report(runtime)))
        assert f"connected to 127.0.0.1:{mosquitto.port}" in screen
        assert "no_mask_start" in screen
        assert (read_report(runtime).status or {})["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert not list(runtime.iterdir())


@pytest.mark.slow
def test_command_without_a_service(tmp_path: Path) -> None:
    if Path("/run/mask-patrol").exists():
        pytest.skip("mask-patrol is installed on this machine")
    result = mask_patrol(tmp_path, "status")
    assert result.returncode == 1
    assert result.stdout.startswith("Mask Patrol")
    assert "service  " in result.stdout
    assert result.stderr == ""
    printed = json.loads(mask_patrol(tmp_path, "status", "--json").stdout)
    assert printed["status"] is None
    assert printed["well"] is False
    assert os.environ.get("RUNTIME_DIRECTORY") is None
