"""Commands whose standard streams are closed, are full, or are no longer read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_process import environment, mask_patrol, start_mask_patrol
from tests.support.footage.pictures import write_picture
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.event_payloads import START
from tests.support.waiting import wait_until


def shell(state: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'exec "{sys.executable}" -m edge {line}'],
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 1, "mask-patrol: standard output: No space left on device\n"),
    ],
)
def test_detect_with_redirected_streams(
    tmp_path: Path, redirection: str, code: int, message: str
) -> None:
    picture = write_picture(tmp_path / "grey.png", 100)
    result = shell(tmp_path, f"detect {picture} {redirection}")
    assert (result.returncode, result.stderr) == (code, message)


def test_full_events_file_does_not_stop_the_run(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "run", "--no-mqtt", "--pace", "fast", "--events", "/dev/full")
    assert result.returncode == 0
    assert result.stderr.count("cannot write to the events file: No space left") == 1
    assert "Traceback" not in result.stderr


def test_closed_pipe_ends_watch(tmp_path: Path, mosquitto: Mosquitto) -> None:
    watch = start_mask_patrol(tmp_path, "watch", "--broker", mosquitto.broker.address)
    assert watch.stdout is not None
    assert watch.stdout.readline().startswith("Watching")
    os.close(watch.stdout.fileno())
    sender = Subscriber(mosquitto.broker)

    def ended() -> bool:
        event = {**START, "id": f"{START['id']}{len(sender.messages)}"}
        sender.client.publish("maskpatrol/door1/events", json.dumps(event), qos=1)
        return watch.poll() is not None

    wait_until(ended, "watch ends")
    assert watch.returncode == 0
    assert watch.stderr is not None
    assert watch.stderr.read() == ""
    sender.close()
