from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.bench.processes import cpu_s, proportional_mb
from edge.bench.several_cameras import camera_figures
from edge.common.errors import UserError
from edge.config.settings import Settings, change
from tests.support.cli_process import mask_patrol

SETTINGS = Settings(device="door1")


@pytest.mark.soak
def test_two_cameras_lose_no_event() -> None:
    found = camera_figures(SETTINGS, 2)
    assert (found.cameras, found.events, found.lost_events) == (2, 8, 0)
    assert 0.0 < found.cores < 2.0
    assert found.fps > 1.0
    if sys.platform == "linux":
        assert found.memory_mb is not None
        assert found.memory_mb > 20.0


def test_failure_of_one_daemon_is_reported() -> None:
    settings = change(SETTINGS, classifier={"model": "/none.tflite"})
    with pytest.raises(UserError, match=r"a daemon failed: .*none\.tflite"):
        camera_figures(settings, 1)


@pytest.mark.parametrize("counts", ["0", "1,x", "", "65"])
def test_impossible_numbers_of_cameras_are_refused(tmp_path: Path, counts: str) -> None:
    result = mask_patrol(tmp_path, "bench", "--cameras", counts)
    assert result.returncode == 2
    assert "is not a list of numbers from 1 to 64, such as 1,2,4,8" in result.stderr


def test_ended_process_has_no_figures() -> None:
    assert cpu_s(2**22 + 1) == 0.0
    assert proportional_mb(2**22 + 1) is None
