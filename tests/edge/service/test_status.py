from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from edge.common.clock import now
from edge.common.errors import UserError
from edge.health.status_file import StatusWriter, write
from edge.service.status import STALE_S, Report, as_json, lines, report, span
from edge.service.systemd_unit import ServiceState, parsed
from tests.support.brokers import Mosquitto, wait_until
from tests.support.cli_process import command, environment, mask_patrol

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


def told(status: dict[str, Any] | None = STATUS, **changes: Any) -> Report:
    before = {
        "service": RUNNING,
        "status": status,
        "age_s": 1.0,
        "version": "0.2.0+ab",
        "previous": None,
    }
    return Report(**{**before, **changes})


def health(**changes: Any) -> dict[str, Any]:
    return {**STATUS, "health": {**HEALTH, **changes}}


def test_one_screen() -> None:
    assert list(lines(told())) == [
        "Mask Patrol 0.2.0+ab, device door1",
        "service     running for 1 h 2 min",
        "camera      ok: /dev/video0, 10.0 frames/s, the newest 1.1 s ago",
        "            2 in view, 1 of them bare-faced",
        "model       mask-96 (mask, no_mask), alert at 0.80, in tflite-runtime",
        "broker      connected to broker.lan:8883 (MQTT 5), 12 events delivered since the start",
        "outbox      0 events wait, on disk",
        "board       51 °C, not held back, 91 MB of memory, 3.1 MB a day to the card",
        "last event  no_mask_end 2 min ago, at 2026-03-01T08:15:03.218Z, masked, seq 4217",
    ]
    assert told().well


def test_a_read_only_root_is_told_of() -> None:
    row = "root        read-only: what is changed is gone after the next start"
    assert list(lines(told(root_read_only=True)))[2] == row


def test_what_is_wrong_stands_there() -> None:
    status = {
        **health(
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
    screen = "\n".join(lines(told(status, previous="0.1.0+cd")))
    for expected in (
        "0.2.0+ab (before: 0.1.0+cd)",
        "NOT connected to broker.lan:8883: cannot reach the broker",
        "in MEMORY only, 3 lost so far",
        "none since the start",
        "warning     /dev/video0 has delivered nothing for 10 s",
    ):
        assert expected in screen


@pytest.mark.parametrize(
    "changes", [{"camera": "black"}, {"connected": False}, {"outbox_on_disk": False}]
)
def test_well_means_everything(changes: dict[str, Any]) -> None:
    assert not told(health(**changes)).well


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (None, "no systemd answers here"),
        (ServiceState(False, "inactive", "dead", "success", 0, None, 0), "not installed"),
        (
            ServiceState(True, "inactive", "dead", "success", 0, None, 0),
            "not running (inactive): sudo systemctl start mask-patrol",
        ),
        (
            ServiceState(True, "activating", "auto-restart", "watchdog", 3, 9.0, 0),
            "failed (watchdog), will be started again, started again 3 times: journalctl",
        ),
        (ServiceState(True, "failed", "failed", "exit-code", 0, 9.0, 0), "failed (exit-code): "),
        (ServiceState(True, "activating", "start", "success", 0, None, 8), "starting"),
        (RUNNING, "running for 1 h 2 min; it has not told how it is yet"),
    ],
)
def test_when_nothing_runs(service: ServiceState | None, expected: str) -> None:
    nothing = told(None, service=service, age_s=None)
    assert not nothing.well
    _, line = lines(nothing)
    assert line.startswith("service     ")
    assert expected in line


def test_a_daemon_that_says_nothing_any_more_is_not_well() -> None:
    silent = told(age_s=STALE_S + 50.0)
    assert not silent.well
    assert "it has said nothing for 1 min: this is what it said last" in "\n".join(lines(silent))


def test_systemctls_words() -> None:
    text = (
        "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=2\n"
        "MainPID=321\nActiveEnterTimestampMonotonic=5000000\n"
    )
    assert parsed(text, 65.0) == ServiceState(True, "active", "running", "success", 2, 60.0, 321)
    assert parsed(text.replace("=5000000", "=0"), 65.0).since_s is None  # type: ignore[union-attr]
    assert parsed("", 65.0) is None
    assert parsed(text.replace("=2", "=two"), 65.0) is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "an unknown time"), (0.04, "0.0 s"), (12.3, "12 s"), (59.9, "60 s"), (90.0, "2 min"),
     (7199.0, "1 h 59 min"), (90_061.0, "1 d 1 h")],
)  # fmt: skip
def test_durations(seconds: float | None, expected: str) -> None:
    assert span(seconds) == expected


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "status.json", {key: STATUS[key] for key in STATUS.keys() - {"boot_s"}})
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o644
    found = report(tmp_path)
    assert found.fresh
    assert found.status is not None
    assert found.status["pid"] == 77
    assert json.loads(as_json(found))["well"] is True
    old = {**STATUS, "boot_s": now().boot_s - 2.0 * STALE_S}
    (tmp_path / "status.json").write_text(json.dumps(old))
    assert not report(tmp_path).fresh


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "it is no JSON"),
        ("[]", "of another version"),
        ('{"pid": 1}', "of another version"),
        ('{"pid": 1, "boot_s": 2.0, "info": {}, "health": []}', "of another version"),
        ('{"pid": 1, "boot_s": null, "info": {}, "health": {}}', "of another version"),
    ],
)
def test_a_file_that_is_none_of_ours(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(UserError, match=expected):
        report(tmp_path)


@pytest.mark.parametrize("lacking", ["broker_failure", "device", "source", "last_event"])
def test_what_another_version_tells_is_no_traceback(lacking: str) -> None:
    status = {key: value for key, value in health(connected=False).items() if key != lacking}
    found = told(status)
    assert not found.well
    assert any(line.startswith("service     running") for line in lines(found))
    if lacking != "device":
        assert "as another version does" in "\n".join(lines(found))
    assert not told({**STATUS, "health": {"connected": True}}).well


def test_a_body_that_fails_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tries = [0]

    def body() -> dict[str, Any]:
        tries[0] += 1
        if tries[0] < 4:
            raise ValueError("no")
        return {"well": True}

    file = tmp_path / "status.json"
    with StatusWriter(tmp_path, body, interval_s=0.01):
        wait_until(file.exists, "the fourth try")
        assert json.loads(file.read_text())["well"] is True
    assert not file.exists()
    assert [r.getMessage() for r in caplog.records] == ["no status is told: no"]


def test_the_running_daemon_tells_how_it_is(tmp_path: Path, mosquitto: Mosquitto) -> None:
    import subprocess

    runtime = tmp_path / "run"
    runtime.mkdir()
    arguments = ("run", "--broker", f"127.0.0.1:{mosquitto.port}")
    process = subprocess.Popen(
        command(arguments), env={**environment(tmp_path), "RUNTIME_DIRECTORY": str(runtime)}
    )
    try:
        wait_until(lambda: report(runtime).well, "it is well")
        wait_until(
            lambda: (report(runtime).status or {}).get("last_event") is not None, "the first alert"
        )
        screen = "\n".join(lines(report(runtime)))
        assert f"connected to 127.0.0.1:{mosquitto.port}" in screen
        assert "no_mask_start" in screen
        assert (report(runtime).status or {})["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert not list(runtime.iterdir())


def test_the_command_where_nothing_runs(tmp_path: Path) -> None:
    if Path("/run/mask-patrol").exists():
        pytest.skip("a mask-patrol is installed here")
    result = mask_patrol(tmp_path, "status")
    assert result.returncode == 1
    assert result.stdout.startswith("Mask Patrol")
    assert "service  " in result.stdout
    assert result.stderr == ""
    as_object = json.loads(mask_patrol(tmp_path, "status", "--json").stdout)
    assert as_object["status"] is None
    assert as_object["well"] is False
    assert os.environ.get("RUNTIME_DIRECTORY") is None
