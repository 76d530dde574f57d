from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.frame_rate_limit import FrameRateBudget, FrameRateLimit


@pytest.mark.parametrize(
    ("source_fps", "expected"), [(30, 10), (25, 10), (15, 10), (10, 10), (5, 5)]
)
def test_rate_is_at_most_that_of_the_limit(source_fps: int, expected: int) -> None:
    limit = FrameRateLimit(10.0)
    accepted = [n / source_fps for n in range(60 * source_fps) if limit(n / source_fps)]
    assert accepted[0] == 0.0
    assert len(accepted) == pytest.approx(60 * expected, abs=1)


@given(
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=300),
    st.floats(0.5, 60.0),
    st.floats(0.3, 1.0),
)
def test_limit_holds_and_frames_never_stop(gaps_s: list[float], fps: float, share: float) -> None:
    budget = FrameRateBudget(lambda: share)
    limit, now_s, accepted = FrameRateLimit(fps, budget), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if limit(now_s):
            accepted.append(now_s)
        else:
            assert now_s - accepted[-1] < 2.0 / (fps * share)
    assert accepted
    assert budget.left_out == len(gaps_s) - len(accepted)
    assert len(accepted) <= (accepted[-1] - accepted[0]) * fps * share + 2


def test_rate_follows_the_share_of_the_budget() -> None:
    share = [1.0]
    limit = FrameRateLimit(10.0, FrameRateBudget(lambda: share[0]))
    assert sum(limit(n / 30) for n in range(300)) == 100
    share[0] = 0.3
    assert sum(limit(n / 30) for n in range(300, 600)) == pytest.approx(30, abs=1)
    share[0] = 1.0
    assert sum(limit(n / 30) for n in range(600, 900)) == pytest.approx(100, abs=4)
