from __future__ import annotations

import pytest

from edge.bench.results import (
    Spread,
    between_ms,
    contender_figures,
)
from tests.support.bench_figures import one_pass, scene_figures


def test_spread_has_median_and_quartiles() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.5, 2.5, (3.0, 1.0, 2.0))


def test_ratios_are_taken_pass_by_pass() -> None:
    ratio = scene_figures().ratio
    assert ratio is not None
    assert ratio.each == (10.0, 2.0)


def test_stage_times_add_up_to_the_frame() -> None:
    figures = contender_figures([one_pass(1.5), one_pass(1.5)], "nothing")
    assert between_ms(figures) == {"detect": 150.0, "between": 50.0}
    assert figures.stages["detect"].p50_ms == 150.0
    assert figures.stages["frame"].p50_ms == 200.0
    assert figures.stages["frame"].runs == 20
    assert figures.cpu_s_per_minute.median == 120.0
    assert (figures.events, figures.as_expected) == (None, None)


@pytest.mark.parametrize(("kind", "right"), [("no_mask_start", True), ("no_mask_end", False)])
def test_events_are_compared_with_expected_ones(kind: str, right: bool) -> None:
    events = ((2.7, "no_mask_start", None),)
    figures = contender_figures([one_pass(1.0)], "", events, [(kind, None)])
    assert figures.as_expected is right
    assert contender_figures([one_pass(1.0)], "", events, ()).as_expected is False
