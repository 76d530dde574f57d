from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from edge.health.status_file import StatusWriter, status_outputs, write_status
from tests.support.waiting import wait_until


class SwitchRecorder:
    """An LED that records how it is switched."""

    def __init__(self) -> None:
        self.lit = threading.Event()
        self.restored = False

    def switch(self, on: bool) -> None:
        if on:
            self.lit.set()

    def restore(self) -> None:
        self.restored = True


def test_status_is_readable_by_all_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_status(file, {"device": "door1"})
    assert file.stat().st_mode & 0o777 == 0o644
    assert json.loads(file.read_text()).keys() == {"written", "boot_s", "pid", "device"}
    assert list(tmp_path.iterdir()) == [file]


def test_failing_status_is_logged_once_and_retried(
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
    (record,) = caplog.records
    assert record.getMessage() == "the status cannot be written: no"


def test_file_and_led_end_with_the_context(tmp_path: Path) -> None:
    led = SwitchRecorder()
    file = tmp_path / "status.json"
    with status_outputs(tmp_path, led, lambda: {"device": "door1"}, lambda: 0.0):
        wait_until(file.exists, "the status file")
        assert led.lit.wait(20.0)
    assert not file.exists()
    assert led.restored


def test_without_outputs_no_status_is_collected() -> None:
    def body() -> dict[str, Any]:
        raise AssertionError("the status is collected without an output")

    threads = threading.active_count()
    with status_outputs(None, None, body, lambda: 0.0):
        assert threading.active_count() == threads
