"""A full, read-only or damaged disk: events are delivered, and `health` reports the fault."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli_process import (
    TIMEOUT_S,
    command,
    environment,
    mask_patrol,
    mask_patrol_error,
)
from tests.support.disks import limit_file_size, read_only
from tests.support.footage.pictures import write_clip
from tests.support.footage.visit_clip import FAST_ALERTS, write_visits
from tests.support.mqtt.brokers import Mosquitto, Subscriber

VISITS = 6


def write_config(folder: Path, server: Mosquitto) -> Path:
    config = folder / "door.toml"
    config.write_text(
        f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {server.port}\n'
        f"health_interval_s = 0.2\n{FAST_ALERTS}"
    )
    return config


def run_visits(
    folder: Path, state: Path, server: Mosquitto, preexec: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    clip = write_visits(folder / "visits.mp4", VISITS)
    return subprocess.run(
        command(("run", "--config", write_config(folder, server), "--source", clip)),
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=preexec,
    )


def assert_all_arrive(listener: Subscriber) -> None:
    listener.wait_for(lambda: len(listener.bodies("events")) == 2 * VISITS, "every event")
    numbers = [event["seq"] for event in listener.bodies("events")]
    assert numbers == list(range(numbers[0], numbers[0] + 2 * VISITS))


def test_events_are_delivered_on_full_disk(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    state = tmp_path / "state"
    result = run_visits(tmp_path, state, mosquitto, lambda: limit_file_size(8192))
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    assert "events are kept in memory until it can be used" in result.stderr
    assert_all_arrive(subscriber)
    health = subscriber.bodies("health")[-1]
    assert health["outbox_on_disk"] is False
    assert "cannot use the outbox" in health["warnings"][0]
    # When the disk has space again, no sequence number is used twice.
    again = run_visits(tmp_path, state, mosquitto)
    assert (again.returncode, again.stderr) == (0, "")
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4 * VISITS, "the second run")
    assert len({event["seq"] for event in subscriber.bodies("events")}) == 4 * VISITS


def test_events_are_delivered_on_read_only_disk(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with read_only(state):
        result = run_visits(tmp_path, state, mosquitto)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    assert "events are kept in memory" in result.stderr
    assert_all_arrive(subscriber)
    assert subscriber.bodies("health")[-1]["outbox_on_disk"] is False


def test_fifo_in_place_of_the_outbox_is_reported(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.mkfifo(state / "outbox.sqlite3")
    result = run_visits(tmp_path, state, mosquitto)
    assert result.returncode == 0
    assert "outbox.sqlite3 is not a regular file; remove it" in result.stderr
    assert "Traceback" not in result.stderr
    assert_all_arrive(subscriber)
    assert subscriber.bodies("health")[-1]["outbox_on_disk"] is False


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "junk"])
def test_damaged_outbox_is_set_aside(tmp_path: Path, mosquitto: Mosquitto, where: str) -> None:
    """The outbox is filled while no broker runs, then damaged, then opened by the next run."""
    state = tmp_path / "state"
    config = write_config(tmp_path, mosquitto)
    clip = write_visits(tmp_path / "visits.mp4", 20)
    mosquitto.stop()
    first = mask_patrol(
        state, "run", "--config", config, "--source", clip, "--pace", "fast", "--log-level", "error"
    )
    assert first.returncode == 3
    outbox = state / "outbox.sqlite3"
    content = bytearray(outbox.read_bytes())
    if where == "cut":
        content = content[: len(content) // 2]
    elif where == "junk":
        content = bytearray(os.urandom(len(content)))
    else:
        at = {"start": 0, "middle": len(content) // 2, "end": len(content) - 2000}[where]
        content[at : at + 1000] = b"\xa5" * 1000
    outbox.write_bytes(content)
    mosquitto.start()
    listener = Subscriber(mosquitto.broker)
    result = run_visits(tmp_path, state, mosquitto)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    line, *others = result.stderr.splitlines()
    assert "damaged" in line
    # An end event that was lost with the damaged file is created again.
    assert all("was interrupted by a crash or a power failure" in other for other in others)
    assert "it is set aside as outbox.sqlite3.damaged-" in line
    (aside,) = state.glob("outbox.sqlite3.damaged-*Z")
    assert aside.read_bytes() == content
    listener.wait_for_status("offline")
    events = listener.bodies("events")
    # The first run had the numbers up to 40, and no number is used again. The first new event may
    # be recorded before the connection, and is then delivered as replayed.
    starts = {
        event["id"]
        for event in events
        if event["event_type"] == "no_mask_start" and event["seq"] > 40
    }
    assert len(starts) == VISITS
    assert sum(event["id"] in starts for event in events) == 2 * VISITS
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers))
    listener.close()


def test_check_reports_a_disk_without_any_space(tmp_path: Path) -> None:
    """Log files cannot grow on a full disk; the process neither hangs nor prints a traceback."""
    clip = write_clip(tmp_path / "empty.mp4", [90] * 5)
    result = subprocess.run(
        command(("check", "--source", clip)),
        env=environment(tmp_path / "state"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert result.returncode == 1
    assert "FAIL  outbox" in result.stdout
    assert "Traceback" not in result.stderr


def test_truncated_model_and_missing_cascade_are_reported(tmp_path: Path) -> None:
    from edge.common.paths import shipped_model

    model = tmp_path / "cut.tflite"
    model.write_bytes(shipped_model().read_bytes()[:50_000])
    for section in (
        f"[classifier]\nmodel = {json.dumps(str(model))}\n",
        f"[detector]\ncascade = {json.dumps(str(tmp_path / 'none.xml'))}\n",
    ):
        config = tmp_path / "door.toml"
        config.write_text(section)
        result = mask_patrol(tmp_path, "run", "--config", config)
        assert result.returncode == 1
        assert str(tmp_path) in mask_patrol_error(result)
