"""A disk that is full, read-only or damaged: events go out all the same, and `health` tells."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto, Subscriber
from tests.support.cli_process import (
    TIMEOUT_S,
    assert_one_clear_line,
    command,
    environment,
    mask_patrol,
)
from tests.support.disks import limit_file_size, read_only
from tests.support.pictures import write_clip
from tests.support.visit_clip import FAST_ALERTS, write_visits

VISITS = 6


def configured(folder: Path, server: Mosquitto) -> Path:
    config = folder / "door.toml"
    config.write_text(
        f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {server.port}\n'
        f"health_interval_s = 0.2\n{FAST_ALERTS}"
    )
    return config


def run_visits(
    folder: Path, state: Path, server: Mosquitto, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    clip = write_visits(folder / "visits.mp4", VISITS)
    return subprocess.run(
        command(("run", "--config", configured(folder, server), "--source", clip)),
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=before,
    )


def assert_all_arrive(listener: Subscriber) -> None:
    listener.wait_for(lambda: len(listener.bodies("events")) == 2 * VISITS, "every event")
    numbers = [event["seq"] for event in listener.bodies("events")]
    assert numbers == list(range(numbers[0], numbers[0] + 2 * VISITS))


def test_a_full_disk(tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    state = tmp_path / "state"
    result = run_visits(tmp_path, state, mosquitto, lambda: limit_file_size(8192))
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    assert "events are kept in memory until it can be used" in result.stderr
    assert_all_arrive(subscriber)
    health = subscriber.bodies("health")[-1]
    assert health["outbox_on_disk"] is False
    assert "cannot use the outbox" in health["warnings"][0]
    # When there is room again, no number is given twice.
    again = run_visits(tmp_path, state, mosquitto)
    assert (again.returncode, again.stderr) == (0, "")
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4 * VISITS, "the second run")
    assert len({event["seq"] for event in subscriber.bodies("events")}) == 4 * VISITS


def test_a_read_only_disk(tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with read_only(state):
        result = run_visits(tmp_path, state, mosquitto)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    assert "events are kept in memory" in result.stderr
    assert_all_arrive(subscriber)
    assert subscriber.bodies("health")[-1]["outbox_on_disk"] is False


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "junk"])
def test_a_damaged_outbox(tmp_path: Path, mosquitto: Mosquitto, where: str) -> None:
    """Filled while no broker was there, damaged, and started again."""
    state = tmp_path / "state"
    config = configured(tmp_path, mosquitto)
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
    # An end that was lost with the file is said anew.
    assert all("was interrupted by a crash or a power failure" in other for other in others)
    assert "it is set aside as outbox.sqlite3.damaged-" in line
    (aside,) = state.glob("outbox.sqlite3.damaged-*Z")
    assert aside.read_bytes() == content
    listener.wait_for(lambda: listener.bodies("status")[-1:] == ["offline"], "the farewell")
    events = listener.bodies("events")
    new = [event for event in events if not event["replayed"]]
    assert len(new) == 2 * VISITS
    assert min(event["seq"] for event in new) > 40  # no number of the first run again
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers))
    listener.close()


def test_without_room_for_anything_it_still_says_what_is_wrong(tmp_path: Path) -> None:
    """Even the log cannot grow: the process neither hangs nor shows a traceback."""
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


def test_a_truncated_model_and_a_missing_cascade(tmp_path: Path) -> None:
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
        assert_one_clear_line(result, str(tmp_path))
