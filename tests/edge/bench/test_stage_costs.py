from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from edge.bench.stage_costs import StageCosts


def clock(*times_s: float) -> Callable[[], float]:
    ticks: Iterator[float] = chain(times_s)
    return lambda: next(ticks)


def test_nested_stages_are_counted_separately() -> None:
    costs = StageCosts(wall=clock(0.0, 1.0, 3.0, 10.0), cpu=clock(0.0, 0.5, 1.5, 4.0))
    with costs.measure("frame"), costs.measure("detect"):
        pass
    assert costs.durations_s == {"detect": [2.0], "frame": [10.0]}
    assert costs.cpu_s == {"detect": 1.0, "frame": 3.0}


def test_failing_stage_is_counted() -> None:
    costs = StageCosts(wall=clock(0, 0, 1, 1, 2, 3), cpu=clock(0, 0, 1, 1, 2, 3))
    with costs.measure("frame"):
        with pytest.raises(ValueError, match="broken"), costs.measure("detect"):
            raise ValueError("broken")
        with costs.measure("track"):
            pass
    assert costs.cpu_s == {"detect": 1.0, "track": 1.0, "frame": 1.0}


def test_added_durations_have_no_processor_time() -> None:
    costs = StageCosts()
    costs.add("deliver", 0.25)
    assert costs.durations_s == {"deliver": [0.25]}
    assert costs.cpu_s == {}
