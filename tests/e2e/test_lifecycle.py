"""Starting, stopping, reloading, pausing: the process as systemd and its owner see it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.brokers import Mosquitto, Subscriber, free_port, wait_until
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.mjpeg_server import MjpegCamera, Mute
from tests.support.systemd_receiver import Systemd
from tests.support.visit_clip import BARE_S, frame_at

ALERT_AT_ONCE = "[events]\nmin_readings = 1\nconfirm_s = 0.0\n"
#: Some machines that run tests are slow; what is measured is far below.
STOP_S = 20.0
#: What systemd is promised: it kills who takes longer.
PROMISED_S = 5.0


def configured(folder: Path, port: int, text: str = "") -> Path:
    config = folder / "door.toml"
    config.write_text(
        f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f"health_interval_s = 0.2\n{ALERT_AT_ONCE}{text}"
    )
    return config


@contextmanager
def daemon(state: Path, *arguments: str | Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(("run", *arguments)),
        env={**environment(state), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str]) -> tuple[str, float]:
    """What it said, and the seconds that it took to end after SIGTERM."""
    started_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=STOP_S)
    return errors, time.monotonic() - started_s


def slowness_s(state: Path) -> float:
    """How long this machine takes now for a process that does nothing."""
    started_s = time.monotonic()
    assert mask_patrol(state, "--version").returncode == 0
    return time.monotonic() - started_s


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera([frame_at(BARE_S)]) as camera:
        yield camera


def test_systemd_is_told_from_the_start_to_the_end(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    told: list[str] = []
    config = configured(tmp_path, mosquitto.port)
    with daemon(
        tmp_path, "--config", config, "--source", camera.url,
        NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000",
    ) as process:  # fmt: skip

        def fed() -> bool:
            told.extend(systemd.received())
            return told.count("WATCHDOG=1") >= 5

        wait_until(fed, "the watchdog is fed")
        errors, _ = stopped(process)
    told += systemd.received()
    systemd.close()
    assert (process.returncode, errors) == (0, "")
    assert told[0].startswith("READY=1")
    assert told[-1].startswith("STOPPING=1")


def test_sigterm_with_a_camera_and_a_broker_that_hang(
    tmp_path: Path, mosquitto: Mosquitto, camera: MjpegCamera
) -> None:
    """All is on disk, and it ends: systemd would kill it otherwise."""
    listener = Subscriber(mosquitto.broker)
    config = configured(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        listener.wait_for(
            lambda: any(each["events_acknowledged"] for each in listener.bodies("health")),
            "the alert, delivered",
        )
        camera.stalled.set()
        mosquitto.send(signal.SIGSTOP)
        try:
            errors, took_s = stopped(process)
        finally:
            mosquitto.send(signal.SIGCONT)
    idle_s = slowness_s(tmp_path)
    print(f"stopped within {took_s:.1f} s; --version takes {idle_s:.1f} s")
    assert took_s < PROMISED_S + idle_s
    assert process.returncode == 0
    assert "1 events were not delivered" in errors
    assert "Traceback" not in errors
    with daemon(tmp_path, "--config", config, "--source", camera.url):
        listener.wait_for(lambda: len(listener.bodies("events")) >= 2, "the end of the alert")
    # Perhaps the broker still reads what the first process sent it: at least once.
    end = listener.bodies("events")[1]
    assert (end["event_type"], end["ended_by"]) == ("no_mask_end", "shutdown")
    listener.close()


def test_a_reload_to_a_camera_that_is_mute_holds_up_neither_the_watchdog_nor_a_stop(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    told: list[str] = []

    def heard(message: str, count: int = 1) -> bool:
        told.extend(line for text in systemd.received() for line in text.splitlines())
        return told.count(message) >= count

    config = configured(tmp_path, mosquitto.port, f"[camera]\nsource = '{camera.url}'\n")
    with Mute() as mute, daemon(
        tmp_path, "--config", config,
        NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000",
    ) as process:  # fmt: skip
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        configured(
            tmp_path, mosquitto.port, f"[camera]\nsource = '{mute.url}'\ntimeout_s = 1000.0\n"
        )
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(mute.callers), "the new camera is called")
        fed = told.count("WATCHDOG=1")
        wait_until(lambda: heard("WATCHDOG=1", fed + 5), "the watchdog is fed")
        health = len(subscriber.bodies("health"))
        subscriber.wait_for(lambda: len(subscriber.bodies("health")) > health, "health")
        assert subscriber.bodies("health")[-1]["camera"] == "ok"
        errors, took_s = stopped(process)
    idle_s = slowness_s(tmp_path)
    print(f"stopped within {took_s:.1f} s; --version takes {idle_s:.1f} s")
    assert took_s < PROMISED_S + idle_s
    assert (process.returncode, errors) == (0, "")
    assert heard("STOPPING=1")
    systemd.close()
    # It was never done, and that was never said.
    assert (told.count("RELOADING=1"), told.count("READY=1")) == (1, 1)


def test_a_second_signal_ends_it_at_once(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = configured(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        mosquitto.send(signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: "STOP" in ending(tmp_path), "it is stopping")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=STOP_S)
        finally:
            mosquitto.send(signal.SIGCONT)
    assert process.returncode in (128 + signal.SIGINT, 0)


def ending(state: Path) -> str:
    """STOP once the end of the alert is in the outbox."""
    import sqlite3

    try:
        db = sqlite3.connect(f"file:{state / 'outbox.sqlite3'}?mode=ro&immutable=1", uri=True)
        rows = db.execute("SELECT payload FROM events").fetchall()
        db.close()
    except sqlite3.Error:
        return ""
    return "STOP" if any(b"no_mask_end" in _bytes(row[0]) for row in rows) else ""


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def test_sighup_takes_what_is_new_and_says_why_not(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    config = configured(tmp_path, mosquitto.port)
    with daemon(
        tmp_path, "--config", config, "--source", camera.url,
        NOTIFY_SOCKET=str(tmp_path / "notify"),
    ) as process:  # fmt: skip
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        digest = subscriber.bodies("info")[-1]["configuration"]
        # No good: said, and everything goes on.
        config.write_text("[mqtt]\nhots = 'x'\n")
        process.send_signal(signal.SIGHUP)
        told: list[str] = []

        def reloads(count: int) -> bool:
            told.extend(systemd.received())
            return sum(message.startswith("READY=1") for message in told) > count

        wait_until(lambda: reloads(1), "the first reload")
        assert len(subscriber.bodies("info")) == 1
        # Good: no face is as wide as the picture, so whoever is there leaves.
        configured(tmp_path, mosquitto.port, "[detector]\nmin_face = 1.0\n")
        process.send_signal(signal.SIGHUP)
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the end")
        assert subscriber.bodies("events")[1]["ended_by"] == "left"
        subscriber.wait_for(lambda: len(subscriber.bodies("info")) == 2, "the new info")
        assert subscriber.bodies("info")[-1]["configuration"] != digest
        # The broker is what it was: said.
        configured(tmp_path, free_port())
        process.send_signal(signal.SIGHUP)
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 3, "the next alert")
        errors, _ = stopped(process)
    systemd.close()
    first, second = errors.splitlines()
    assert "the configuration is not reloaded, the old one stays in force" in first
    assert "did you mean `mqtt.host`?" in first
    assert "the new `mqtt` takes effect at the next start" in second
    assert any(message.startswith("RELOADING=1\nMONOTONIC_USEC=") for message in told)


def test_pause_resume_and_snapshot_by_command(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = configured(tmp_path, mosquitto.port, "[snapshot]\nenabled = true\n")
    sender = subscriber.client

    def send(verb: str) -> dict[str, Any]:
        before = len(subscriber.bodies(f"reply/{verb}"))
        sender.publish(f"maskpatrol/door1/cmd/{verb}", json.dumps({"transaction": verb}), qos=1)
        subscriber.wait_for(
            lambda: len(subscriber.bodies(f"reply/{verb}")) > before, f"the answer to {verb}"
        )
        answer: dict[str, Any] = subscriber.bodies(f"reply/{verb}")[-1]
        return answer

    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        answer = send("snapshot")
        assert answer["status"] == "ok"
        picture = cv2.imread(answer["file"])
        assert picture.shape == frame_at(BARE_S).shape
        assert send("pause") == {"status": "ok", "paused": True, "transaction": "pause"}
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the end")
        assert subscriber.bodies("events")[1]["ended_by"] == "shutdown"
        subscriber.wait_for(lambda: subscriber.bodies("state")[-1]["paused"], "the state")
        assert subscriber.bodies("state")[-1]["people"] == 0
        refused = send("snapshot")
        assert refused["status"] == "error"
        assert send("resume")["paused"] is False
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 3, "a new alert")
        assert send("dance")["status"] == "error"
        errors, _ = stopped(process)
    assert "Traceback" not in errors
    kept = [path.name for path in (tmp_path / "snapshots").iterdir()]
    started = [e["id"] for e in subscriber.bodies("events") if e["event_type"] == "no_mask_start"]
    assert {f"{identity}.jpg" for identity in started} < set(kept)
    assert len(kept) == 3


def test_snapshots_are_off_unless_turned_on(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = configured(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url):
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        subscriber.client.publish("maskpatrol/door1/cmd/snapshot", b"{}", qos=1)
        subscriber.wait_for(lambda: bool(subscriber.bodies("reply/snapshot")), "the answer")
    assert subscriber.bodies("reply/snapshot")[0]["status"] == "error"
    assert not (tmp_path / "snapshots").exists()
    # No pixel on the wire or on the disk: nothing is as long as the smallest picture.
    assert max(len(message.payload) for message in subscriber.messages) < 4096


def test_health_and_metrics_tell_the_same(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    import urllib.request

    port = free_port()
    config = configured(tmp_path, mosquitto.port, f"[metrics]\nport = {port}\n")
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(
            lambda: (
                bool(subscriber.bodies("health")) and subscriber.bodies("health")[-1]["frames"] > 10
            ),
            "health after some frames",
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        health = subscriber.bodies("health")[-1]
    assert health["camera"] == "ok"
    assert health["warnings"] == []
    assert health["restarts"] == 0
    assert health["connected"] is True
    assert health["mqtt_version"] == "5"
    assert health["stages_ms"].keys() >= {"detect", "classify", "track", "frame", "commit"}
    assert 'mask_patrol_camera_state{device="door1",state="ok"} 1.0' in text
    assert 'mask_patrol_events_acknowledged_total{device="door1"} 1.0' in text
    count = len(subscriber.bodies("health"))
    with daemon(tmp_path, "--config", config, "--source", camera.url):
        subscriber.wait_for(lambda: len(subscriber.bodies("health")) > count, "the next health")
    assert subscriber.bodies("health")[count]["restarts"] == 1
