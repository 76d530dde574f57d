"""The life of the daemon's process: start, stop, reload, pause, and reports to systemd."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.camera.mjpeg_server import MjpegCamera, SilentServer
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.ports import free_port
from tests.support.systemd.notify_receiver import Systemd
from tests.support.waiting import wait_until

IMMEDIATE_ALERTS = "[events]\nmin_readings = 1\nconfirm_s = 0.0\n"
#: How long a test waits for the daemon to stop, which is far quicker unless the machine is slow.
STOP_TIMEOUT_S = 20.0
#: The documented maximum time that the daemon needs to stop.
MAX_STOP_S = 5.0


def write_config(folder: Path, port: int, text: str = "") -> Path:
    """Write the configuration with a broker at `port`; `text` is appended."""
    config = folder / "door.toml"
    config.write_text(
        f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f"health_interval_s = 0.2\n{IMMEDIATE_ALERTS}{text}"
    )
    return config


@contextmanager
def daemon(
    state: Path, *arguments: str | Path, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the daemon with additional environment `variables`; kill it at the end."""
    process = subprocess.Popen(
        command(("run", *arguments)),
        env={**environment(state), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Send SIGTERM; return the log, and how many seconds the process took to end."""
    started_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=STOP_TIMEOUT_S)
    return errors, time.monotonic() - started_s


def overhead_s(state: Path) -> float:
    """Return how many seconds this machine now needs for a process that does nothing."""
    started_s = time.monotonic()
    assert mask_patrol(state, "--version").returncode == 0
    return time.monotonic() - started_s


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera([frame_at(BARE_S)]) as camera:
        yield camera


def test_systemd_is_notified_of_start_and_stop(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    messages: list[str] = []
    config = write_config(tmp_path, mosquitto.port)
    with daemon(
        tmp_path, "--config", config, "--source", camera.url,
        NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000",
    ) as process:  # fmt: skip

        def fed() -> bool:
            messages.extend(systemd.received())
            return messages.count("WATCHDOG=1") >= 5

        wait_until(fed, "five WATCHDOG messages")
        errors, _ = stop(process)
    messages += systemd.received()
    systemd.close()
    assert (process.returncode, errors) == (0, "")
    assert messages[0].startswith("READY=1")
    assert messages[-1].startswith("STOPPING=1")


def test_stop_is_prompt_while_camera_and_broker_hang(
    tmp_path: Path, mosquitto: Mosquitto, camera: MjpegCamera
) -> None:
    """The events stay on disk and are delivered by the next run."""
    listener = Subscriber(mosquitto.broker)
    config = write_config(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        listener.wait_for(
            lambda: any(each["events_acknowledged"] for each in listener.bodies("health")),
            "the alert, delivered",
        )
        camera.stalled.set()
        mosquitto.send(signal.SIGSTOP)
        try:
            errors, took_s = stop(process)
        finally:
            mosquitto.send(signal.SIGCONT)
    idle_s = overhead_s(tmp_path)
    print(f"stopped within {took_s:.1f} s; --version takes {idle_s:.1f} s")
    assert took_s < MAX_STOP_S + idle_s
    assert process.returncode == 0
    assert "1 events were not delivered" in errors
    assert "Traceback" not in errors
    with daemon(tmp_path, "--config", config, "--source", camera.url):
        listener.wait_for(lambda: len(listener.bodies("events")) >= 2, "the end of the alert")
    # Each event is delivered at least once: the first process may have delivered the end event.
    end = listener.bodies("events")[1]
    assert (end["event_type"], end["ended_by"]) == ("no_mask_end", "shutdown")
    listener.close()


def test_reload_to_a_silent_camera_blocks_nothing(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    messages: list[str] = []

    def received(message: str, times: int = 1) -> bool:
        messages.extend(line for text in systemd.received() for line in text.splitlines())
        return messages.count(message) >= times

    config = write_config(tmp_path, mosquitto.port, f"[camera]\nsource = '{camera.url}'\n")
    with SilentServer() as silent, daemon(
        tmp_path, "--config", config,
        NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000",
    ) as process:  # fmt: skip
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        write_config(
            tmp_path, mosquitto.port, f"[camera]\nsource = '{silent.url}'\ntimeout_s = 1000.0\n"
        )
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(silent.connections), "the daemon connects to the new camera")
        count = messages.count("WATCHDOG=1")
        wait_until(lambda: received("WATCHDOG=1", count + 5), "five more WATCHDOG messages")
        health = len(subscriber.bodies("health"))
        subscriber.wait_for(lambda: len(subscriber.bodies("health")) > health, "health")
        assert subscriber.bodies("health")[-1]["camera"] == "ok"
        errors, took_s = stop(process)
    idle_s = overhead_s(tmp_path)
    print(f"stopped within {took_s:.1f} s; --version takes {idle_s:.1f} s")
    assert took_s < MAX_STOP_S + idle_s
    assert (process.returncode, errors) == (0, "")
    assert received("STOPPING=1")
    systemd.close()
    # The reload was never finished, so READY was not sent again.
    assert (messages.count("RELOADING=1"), messages.count("READY=1")) == (1, 1)


def test_second_signal_ends_the_process(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = write_config(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        mosquitto.send(signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: has_end_event(tmp_path), "the end of the alert in the outbox")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=STOP_TIMEOUT_S)
        finally:
            mosquitto.send(signal.SIGCONT)
    assert process.returncode in (128 + signal.SIGINT, 0)


def has_end_event(state: Path) -> bool:
    """Return whether the outbox contains an event that ends an alert."""
    try:
        db = sqlite3.connect(f"file:{state / 'outbox.sqlite3'}?mode=ro&immutable=1", uri=True)
        rows = db.execute("SELECT payload FROM events").fetchall()
        db.close()
    except sqlite3.Error:
        return False
    return any("no_mask_end" in str(row[0]) for row in rows)


def test_sighup_applies_or_refuses_the_configuration(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    config = write_config(tmp_path, mosquitto.port)
    with daemon(
        tmp_path, "--config", config, "--source", camera.url,
        NOTIFY_SOCKET=str(tmp_path / "notify"),
    ) as process:  # fmt: skip
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        digest = subscriber.bodies("info")[-1]["configuration"]
        # An invalid configuration is refused.
        config.write_text("[mqtt]\nhots = 'x'\n")
        process.send_signal(signal.SIGHUP)
        messages: list[str] = []

        def reloads(count: int) -> bool:
            messages.extend(systemd.received())
            return sum(message.startswith("READY=1") for message in messages) > count

        wait_until(lambda: reloads(1), "the first reload")
        assert len(subscriber.bodies("info")) == 1
        # A valid configuration is applied. With it, faces must be as wide as the picture, so the
        # person counts as gone.
        write_config(tmp_path, mosquitto.port, "[detector]\nmin_face = 1.0\n")
        process.send_signal(signal.SIGHUP)
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the end")
        assert subscriber.bodies("events")[1]["ended_by"] == "left"
        subscriber.wait_for(lambda: len(subscriber.bodies("info")) == 2, "the new info")
        assert subscriber.bodies("info")[-1]["configuration"] != digest
        # A new broker address takes effect only at the next start.
        write_config(tmp_path, free_port())
        process.send_signal(signal.SIGHUP)
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 3, "the next alert")
        errors, _ = stop(process)
    systemd.close()
    first, second = errors.splitlines()
    assert "the configuration is not reloaded, the old one stays in force" in first
    assert "did you mean `mqtt.host`?" in first
    assert "the new `mqtt` takes effect at the next start" in second
    assert any(message.startswith("RELOADING=1\nMONOTONIC_USEC=") for message in messages)


def test_pause_resume_and_snapshot_by_command(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = write_config(tmp_path, mosquitto.port, "[snapshot]\nenabled = true\n")
    sender = subscriber.client

    def send(verb: str) -> dict[str, Any]:
        """Send the command and return the reply."""
        before = len(subscriber.bodies(f"reply/{verb}"))
        sender.publish(f"maskpatrol/door1/cmd/{verb}", json.dumps({"transaction": verb}), qos=1)
        subscriber.wait_for(
            lambda: len(subscriber.bodies(f"reply/{verb}")) > before, f"the reply to {verb}"
        )
        reply: dict[str, Any] = subscriber.bodies(f"reply/{verb}")[-1]
        return reply

    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        reply = send("snapshot")
        assert reply["status"] == "ok"
        picture = cv2.imread(reply["file"])
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
        errors, _ = stop(process)
    assert "Traceback" not in errors
    kept = [path.name for path in (tmp_path / "snapshots").iterdir()]
    started = [e["id"] for e in subscriber.bodies("events") if e["event_type"] == "no_mask_start"]
    assert {f"{identity}.jpg" for identity in started} < set(kept)
    assert len(kept) == 3


def test_snapshots_are_off_by_default(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    config = write_config(tmp_path, mosquitto.port)
    with daemon(tmp_path, "--config", config, "--source", camera.url):
        subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the alert")
        subscriber.client.publish("maskpatrol/door1/cmd/snapshot", b"{}", qos=1)
        subscriber.wait_for(lambda: bool(subscriber.bodies("reply/snapshot")), "the reply")
    assert subscriber.bodies("reply/snapshot")[0]["status"] == "error"
    assert not (tmp_path / "snapshots").exists()
    # No picture is published: every message is shorter than the smallest picture.
    assert max(len(message.payload) for message in subscriber.messages) < 4096


def test_health_and_metrics_agree(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, camera: MjpegCamera
) -> None:
    port = free_port()
    config = write_config(tmp_path, mosquitto.port, f"[metrics]\nport = {port}\n")
    with daemon(tmp_path, "--config", config, "--source", camera.url) as process:
        subscriber.wait_for(
            lambda: (
                bool(subscriber.bodies("health")) and subscriber.bodies("health")[-1]["frames"] > 10
            ),
            "health after some frames",
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            text = response.read().decode()
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
