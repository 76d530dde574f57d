"""The writer of the status file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.health.status_file import StatusWriter
from tests.support.brokers import wait_until


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
    assert record.getMessage().endswith(": no")
