"""Two models are timed alternately in a separate process."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.latency import PairedTimes, paired_times
from edge.common.paths import shipped_model
from tests.support.runtimes import INSTALLED_RUNTIMES

pytestmark = pytest.mark.slow


def test_each_pair_has_the_time_of_both_models() -> None:
    found = paired_times(INSTALLED_RUNTIMES[0], 2, shipped_model(), shipped_model())
    assert isinstance(found, PairedTimes)
    assert found.first_ms.shape == found.second_ms.shape == (2,)
    assert (found.first_ms > 0).all()
    assert (found.second_ms > 0).all()


def test_missing_runtime_is_reported_as_a_reason() -> None:
    found = paired_times("no-runtime", 2, shipped_model(), shipped_model())
    assert isinstance(found, str)
    assert "no TFLite runtime could load the model" in found


def test_unreadable_model_is_reported_as_a_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no flatbuffer at all")
    found = paired_times(INSTALLED_RUNTIMES[0], 2, shipped_model(), broken)
    assert isinstance(found, str)
    assert INSTALLED_RUNTIMES[0] in found
