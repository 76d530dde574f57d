from __future__ import annotations

import pytest

from edge.common.stage_times import MAX_KEPT, Progress, StageTimes, memory_mb, peak_memory_mb
from tests.support.clock import Clock


def test_quantiles_of_a_stage() -> None:
    times = StageTimes()
    for n in range(100):
        times.add("detect", n / 1000)
    quantiles = times.quantiles()["detect"]
    assert (quantiles.p50_ms, quantiles.p95_ms, quantiles.count) == (50.0, 95.0, 100)


def test_stage_that_fails_is_measured_too() -> None:
    now_s = iter([1.0, 1.25])
    times = StageTimes(clock=lambda: next(now_s))
    with pytest.raises(KeyError), times.measure("classify"):
        raise KeyError
    assert times.quantiles()["classify"].p50_ms == 250.0


def test_quantiles_are_those_of_the_newest_passes() -> None:
    times = StageTimes()
    for _ in range(MAX_KEPT):
        times.add("detect", 1.0)
    for _ in range(MAX_KEPT):
        times.add("detect", 0.001)
    quantiles = times.quantiles()["detect"]
    assert (quantiles.p95_ms, quantiles.count) == (1.0, 2 * MAX_KEPT)


def test_memory_is_that_of_this_process() -> None:
    assert 5.0 < memory_mb() < 4000.0
    assert peak_memory_mb() >= memory_mb() * 0.5


def test_frame_rate_falls_while_no_frame_arrives() -> None:
    clock = Clock()
    progress = Progress(clock)
    assert progress.fps() == 0.0
    for _ in range(50):
        progress.frame_done()
        clock.advance(0.1)
    assert progress.fps() == pytest.approx(10.0)
    clock.advance(45.0)
    assert progress.fps() == pytest.approx(1.0)
    assert (progress.frames, progress.elapsed_s()) == (50, pytest.approx(50.0))


def test_idle_time_begins_with_each_iteration() -> None:
    clock = Clock()
    progress = Progress(clock)
    clock.advance(3.0)
    assert progress.idle_s() == 3.0
    progress.mark_iteration()
    assert progress.idle_s() == 0.0
