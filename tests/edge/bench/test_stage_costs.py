from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from edge.bench.stage_costs import StageCosts


def clock(*times_s: float) -> Callable[[], float]:
    ticks: Iterator[float] = chain(times_s)
    return lambda: next(ticks)


def test_a_stage_within_a_stage_counts_for_itself_alone() -> None:
    costs = StageCosts(wall=clock(0.0, 1.0, 3.0, 10.0), cpu=clock(0.0, 0.5, 1.5, 4.0))
    with costs.measure("frame"), costs.measure("detect"):
        pass
    assert costs.durations_s == {"detect": [2.0], "frame": [10.0]}
    assert costs.cpu_s == {"detect": 1.0, "frame": 3.0}


def test_a_stage_that_fails_is_counted_and_leaves_the_others_right() -> None:
    costs = StageCosts(wall=clock(0, 0, 1, 1, 2, 3), cpu=clock(0, 0, 1, 1, 2, 3))
    with costs.measure("frame"):
        with pytest.raises(ValueError, match="broken"), costs.measure("detect"):
            raise ValueError("broken")
        with costs.measure("track"):
            pass
    assert costs.cpu_s == {"detect": 1.0, "track": 1.0, "frame": 1.0}


def test_a_duration_that_somebody_else_measured_has_no_processor_time() -> None:
    costs = StageCosts()
    costs.add("deliver", 0.25)
    assert costs.durations_s == {"deliver": [0.25]}
    assert costs.cpu_s == {}
