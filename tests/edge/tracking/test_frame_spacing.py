from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from edge.tracking.frame_spacing import GAPS, FrameSpacing

LEAVE_AFTER_S = 2.0


def changes(gaps_s: Iterable[float]) -> list[tuple[int, bool]]:
    """Return after which gaps the verdict changes, and to which: whether there is a warning."""
    spacing = FrameSpacing()
    return [
        (index, bool(spacing.warning))
        for index, at_s in enumerate(accumulate(gaps_s, initial=0.0))
        if spacing.update(at_s, LEAVE_AFTER_S)
    ]


def test_slow_frames_are_reported_once() -> None:
    assert changes([2.5] * 20) == [(GAPS, True)]


def test_frames_that_a_track_outlives_are_no_problem() -> None:
    assert changes([0.1, 1.9, 2.0, 2.0, 2.0, 2.0]) == []


def test_single_gaps_are_no_problem() -> None:
    assert changes([0.1, 30.0, 3.0, 0.1, 5.0] * 5) == []


def test_faster_frames_end_the_warning() -> None:
    assert changes([3.0] * 5 + [0.5] * 5 + [3.0] * 5) == [
        (GAPS, True),
        (5 + GAPS, False),
        (10 + GAPS, True),
    ]


def test_jitter_does_not_repeat_the_warning() -> None:
    assert changes([2.5, 2.5, 2.5, 1.9, 2.5, 2.1, 1.8, 2.5] * 5) == [(GAPS, True)]
