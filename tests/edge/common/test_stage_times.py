from __future__ import annotations

import pytest

from edge.common.stage_times import Progress, StageTimes, memory_mb, peak_memory_mb


def test_quantiles_of_what_was_measured() -> None:
    times = StageTimes()
    for n in range(100):
        times.add("detect", n / 1000)
    q = times.quantiles()["detect"]
    assert (q.p50_ms, q.p95_ms, q.count) == (50.0, 95.0, 100)


def test_the_clock_is_read_around_the_block_even_when_it_fails() -> None:
    now_s = iter([1.0, 1.25])
    times = StageTimes(clock=lambda: next(now_s))
    with pytest.raises(KeyError), times.measure("classify"):
        raise KeyError
    assert times.quantiles()["classify"].p50_ms == 250.0


def test_only_the_newest_count_for_quantiles() -> None:
    times = StageTimes()
    for _ in range(1000):
        times.add("detect", 1.0)
    for _ in range(1000):
        times.add("detect", 0.001)
    q = times.quantiles()["detect"]
    assert (q.p95_ms, q.count) == (1.0, 2000)


def test_figures_of_this_process() -> None:
    assert 5.0 < memory_mb() < 4000.0
    assert peak_memory_mb() >= memory_mb() * 0.5


def test_the_rate_of_frames_falls_when_none_comes() -> None:
    now_s = [0.0]
    progress = Progress(lambda: now_s[0])
    assert progress.fps() == 0.0
    for _ in range(50):
        progress.frame_done()
        now_s[0] += 0.1
    assert progress.fps() == pytest.approx(10.0)
    now_s[0] += 45.0
    assert progress.fps() == pytest.approx(1.0)
    assert (progress.frames, progress.elapsed_s()) == (50, 50.0)
