from __future__ import annotations

import cv2
import pytest

from edge.bench import measure
from edge.bench.measure import chunks, footage_s, one_opencv_thread, play
from tests.support.bench_figures import RecordingContender, frames, one_pass

FRAME_BYTES = 6 * 8 * 3


def test_contenders_alternate_and_reverse_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHUNK_BYTES", 2 * FRAME_BYTES)
    log: list[tuple[str, int]] = []
    contenders = [RecordingContender("a", log), RecordingContender("b", log)]
    reached_s: list[float] = []
    passes = play(frames(5), contenders, reached_s.append)
    assert reached_s == pytest.approx([0.1, 0.3, 0.4])
    assert log == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
        ("b", 2), ("b", 3), ("a", 2), ("a", 3),
        ("a", 4), ("b", 4),
    ]  # fmt: skip
    for contender, own in zip(contenders, passes, strict=True):
        assert (contender.begun, contender.ended) == (1, 1)
        assert own.frames == len(own.durations_s["frame"]) == len(own.durations_s["detect"]) == 5
        assert own.footage_s == pytest.approx(0.5)


def test_skipped_frames_cost_nothing() -> None:
    log: list[tuple[str, int]] = []
    picky = RecordingContender("a", log)
    picky.every = 3
    (own,) = play(frames(10), [picky])
    assert [index for _, index in log] == [0, 3, 6, 9]
    assert own.frames == len(own.durations_s["frame"]) == 4
    assert own.footage_s == pytest.approx(1.0)


def test_chunks_hold_at_least_one_frame() -> None:
    sizes = [len(chunk) for chunk in chunks(frames(3, height=4000, width=4000))]
    assert sizes == [1, 1, 1]


def test_footage_length_includes_the_last_frame() -> None:
    assert footage_s([5.0, 5.5, 6.0]) == pytest.approx(1.5)
    assert footage_s([3.0]) == measure.LONE_FRAME_S


def test_pass_figures_follow_from_its_costs() -> None:
    own = one_pass(detect_s=1.5, between_s=0.5)
    assert own.total_cpu_s == 2.0
    assert own.cpu_s_per_minute == 120.0
    assert own.cpu_ms_per_frame == 200.0
    assert own.frames_per_s == pytest.approx(5.0)


def test_opencv_threads_are_restored() -> None:
    before = cv2.getNumThreads()
    with one_opencv_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before
