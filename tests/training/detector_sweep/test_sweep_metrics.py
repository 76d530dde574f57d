"""Metrics of configurations, the Pareto front, and contenders."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.errors import UserError
from tests.support.footage.demo_frames import demo_frames, faces_in
from training.common.intervals import Estimate
from training.detector_sweep.grid import (
    CascadeConfiguration,
    Configuration,
    Search,
    shipped,
)
from training.detector_sweep.scenes import (
    Scene,
    read_scenes,
    search_scenes,
)
from training.detector_sweep.sweep_metrics import (
    ConfigurationMetrics,
    configuration_metrics,
    contenders,
    pareto_front,
)


@pytest.mark.slow
def test_found_faces_and_false_boxes_are_counted(scenes: Path) -> None:
    shipped_configuration = shipped()
    blind = dataclasses.replace(
        shipped_configuration,
        search=dataclasses.replace(shipped_configuration.search, min_face=0.9),
    )
    searched = search_scenes(read_scenes([scenes], None), [shipped_configuration, blind], 1)
    saw, blinded = configuration_metrics(searched)
    counts = {label: each.count for label, each in saw.found.items() if each is not None}
    bare = sum(len(faces_in(f)) for f in demo_frames(12, 20))
    # Faces that are too narrow are not counted.
    assert counts == {"no_mask": bare, "mask": searched.pictures}
    assert (saw.bare, blinded.bare) == (1.0, 0.0)
    assert saw.found["mask"] is not None
    assert saw.found["mask"].value == 0.0
    assert (saw.false_boxes.value, blinded.false_boxes.value) == (0.0, 0.0)
    assert saw.false_boxes.high > 0.0  # few pictures cannot prove that false boxes never occur
    assert saw.time.value == 1.0
    assert blinded.gain is not None
    assert blinded.gain.value == -1.0
    assert sum(there for _, there in saw.by_size.values()) == bare


@pytest.mark.slow
def test_unreadable_pictures_count_over_the_data_set(
    tmp_path: Path, scenes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    first, second, *_ = read_scenes([scenes], None)
    part = [first, dataclasses.replace(second, path=broken)]
    assert search_scenes(part, [shipped()], 1, total=100).pictures == 1
    assert "broken.png" in caplog.text
    with pytest.raises(UserError, match="1 of 99 pictures are unreadable"):
        search_scenes(part, [shipped()], 1, total=99)


@pytest.mark.slow
def test_unannotated_boxes_are_false(scenes: Path) -> None:
    bare = [Scene(s.path, s.boxes[-2:], s.labels[-2:]) for s in read_scenes([scenes], None)]
    (saw,) = configuration_metrics(search_scenes(bare, [shipped()], 1))
    faces = sum(len(faces_in(f)) for f in demo_frames(12, 20))
    assert saw.false_boxes.value == pytest.approx(100 * faces / len(bare))
    assert saw.found["no_mask"] is None


def outcome(
    bare: float, false_boxes: float, time: float, configuration: Configuration | None = None
) -> ConfigurationMetrics:
    def sure(value: float) -> Estimate:
        return Estimate(value, value, value, 1)

    found = {"no_mask": sure(bare)}
    return ConfigurationMetrics(
        configuration or shipped(), found, None, sure(false_boxes), sure(time), 1.0, {}
    )


def test_front_is_not_dominated() -> None:
    cheap, good = outcome(0.5, 3, 0.3), outcome(0.8, 9, 2.0)
    clean, beaten = outcome(0.5, 1, 1.0), outcome(0.5, 3, 0.6)
    hardly_slower = outcome(0.6, 3, 0.301)
    assert pareto_front([good, beaten, clean, cheap]) == [cheap, clean, good]
    # A time that is longer only by noise counts as equal, so `cheap` is dominated.
    assert pareto_front([cheap, hardly_slower]) == [hardly_slower]
    assert pareto_front([good, good]) == [good, good]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4)), min_size=1))
def test_front_is_never_empty(values: list[tuple[int, int, int]]) -> None:
    tried = [outcome(b / 4, f, float(t)) for b, f, t in values]
    best = pareto_front(tried)
    assert best
    for each in tried:
        assert each in best or any(
            b.bare >= each.bare
            and b.false_boxes.value <= each.false_boxes.value
            and b.time.value <= each.time.value
            for b in best
        )


def test_contenders_are_best_at_their_time() -> None:
    other = CascadeConfiguration(Search("alt", 1.2, 320, 0.1), 4)
    shipped_configuration = outcome(0.6, 5, 1.0)
    fast, fast_too = outcome(0.4, 4, 0.5, other), outcome(0.5, 6, 0.5, other)
    wild, slow = outcome(0.9, 50, 1.0, other), outcome(0.8, 10, 3.0, other)
    tried = [shipped_configuration, fast, fast_too, wild, slow]
    assert contenders(pareto_front(tried), tried) == [fast_too, shipped_configuration, slow]
    # The shipped configuration is a contender even if another configuration dominates it.
    better = outcome(0.7, 4, 1.0, other)
    several = contenders(
        pareto_front([shipped_configuration, better]), [shipped_configuration, better]
    )
    assert shipped_configuration in several
    assert better in several
