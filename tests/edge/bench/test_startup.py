from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.bench.startup import mark_of, start_figures
from edge.common.errors import UserError
from edge.config.settings import Settings, change

SETTINGS = Settings(device="door1")


def test_marks_follow_from_messages() -> None:
    assert mark_of("status", b"online") == "online"
    assert mark_of("status", b"offline") is None
    assert mark_of("state", b'{"people": 0}') is None
    assert mark_of("state", b'{"people": 1}') == "reading"
    assert mark_of("events", b"{}") == "alert"
    assert mark_of("health", b"{}") is None


@pytest.mark.slow
def test_daemon_start_is_timed(tmp_path: Path) -> None:
    outbox = tmp_path / "installed.sqlite3"
    steps: list[str] = []
    found = start_figures(change(SETTINGS, outbox={"path": str(outbox)}), 1, steps.append)
    assert 0.0 < found.online_s.median <= found.reading_s.median <= found.alert_s.median
    assert steps == ["start 1 of 1"]
    assert not outbox.exists(), "the outbox of an installed daemon is not touched"
    if sys.platform == "linux":
        assert found.peak_mb is not None
        assert found.peak_mb > 1.0


def test_failed_start_reports_the_reason() -> None:
    settings = change(SETTINGS, classifier={"model": "/none.tflite"})
    with pytest.raises(UserError, match=r"could not be timed: .*none\.tflite"):
        start_figures(settings, 1)
